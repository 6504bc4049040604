//! One user: state, passwords, rights.

use super::password::Digest;
use super::rule::RuleError;
use super::selector::Selector;
use crate::config::Identity;

/// What the rules of one daemon depend on, besides the rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground {
    /// Whose commands the rules speak of.
    pub(super) identity: Identity,
    /// `acl-pubsub-default allchannels`: new users may use every channel.
    pub(super) all_channels: bool,
}

/// A user.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) enabled: bool,
    pub(super) nopass: bool,
    /// Kept for the file: there are no payloads here. A user has the flag only once a rule gave it.
    sanitize: Option<bool>,
    passwords: Vec<Digest>,
    root: Selector,
    /// The rights in brackets; a request must be allowed by one selector as a whole.
    selectors: Vec<Selector>,
}

impl User {
    /// A user as `ACL SETUSER` makes one: off, without passwords and rights.
    pub(super) fn new(ground: Ground) -> Self {
        Self {
            enabled: false,
            nopass: false,
            sanitize: None,
            passwords: Vec::new(),
            root: Selector::new(ground.all_channels),
            selectors: Vec::new(),
        }
    }

    /// The user `default` as long as nothing is said about it.
    pub(super) fn unlimited() -> Self {
        Self {
            enabled: true,
            nopass: true,
            sanitize: None,
            passwords: Vec::new(),
            root: Selector::unlimited(),
            selectors: Vec::new(),
        }
    }

    /// Applies one rule.
    pub(super) fn apply(&mut self, rule: &[u8], ground: Ground) -> Result<(), RuleError> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        if rule.is_empty() {
        } else if is("on") {
            self.enabled = true;
        } else if is("off") {
            self.enabled = false;
        } else if is("nopass") {
            self.nopass = true;
            self.passwords.clear();
        } else if is("resetpass") {
            self.nopass = false;
            self.passwords.clear();
        } else if is("sanitize-payload") {
            self.sanitize = Some(true);
        } else if is("skip-sanitize-payload") {
            self.sanitize = Some(false);
        } else if is("clearselectors") {
            self.selectors.clear();
        } else if is("reset") {
            *self = Self { sanitize: Some(true), ..Self::new(ground) };
        } else {
            match rule {
                [b'>', password @ ..] => self.add_password(Digest::of(password)),
                [b'#', hex @ ..] => self.add_password(Digest::parse(hex).ok_or(RuleError::BadHash)?),
                [b'<', password @ ..] => self.remove_password(&Digest::of(password))?,
                [b'!', hex @ ..] => self.remove_password(&Digest::parse(hex).ok_or(RuleError::BadHash)?)?,
                [b'(', inner @ .., b')'] => {
                    let mut selector = Selector::new(ground.all_channels);
                    for word in inner.split(|byte| *byte == b' ').filter(|word| !word.is_empty()) {
                        selector.apply(word, ground.identity)?;
                    }
                    self.selectors.push(selector);
                }
                _ => self.root.apply(rule, ground.identity)?,
            }
        }
        Ok(())
    }

    /// Adds a password; `nopass` ends by that.
    pub(super) fn add_password(&mut self, digest: Digest) {
        self.nopass = false;
        if !self.passwords.iter().any(|known| known.same(&digest)) {
            self.passwords.push(digest);
        }
    }

    fn remove_password(&mut self, digest: &Digest) -> Result<(), RuleError> {
        let at =
            self.passwords.iter().position(|known| known.same(digest)).ok_or(RuleError::NoSuchPassword)?;
        self.passwords.remove(at);
        Ok(())
    }

    /// Whether a password opens this user. All passwords are compared, whichever fits.
    pub(super) fn accepts(&self, password: &[u8]) -> bool {
        let digest = Digest::of(password);
        let known = self.passwords.iter().fold(false, |seen, known| seen | known.same(&digest));
        self.enabled && (self.nopass || known)
    }

    /// The lists of rights, the unbracketed one first.
    pub(super) fn all_rights(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// The unbracketed list of rights.
    pub(super) const fn root(&self) -> &Selector {
        &self.root
    }

    /// The lists of rights in brackets.
    pub(super) fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// Names of the flags that are set.
    pub(super) fn flags(&self) -> impl Iterator<Item = &'static str> {
        [
            Some(if self.enabled { "on" } else { "off" }),
            self.nopass.then_some("nopass"),
            self.sanitize.map(|yes| if yes { "sanitize-payload" } else { "skip-sanitize-payload" }),
        ]
        .into_iter()
        .flatten()
    }

    /// The digests of the passwords, in the order in which they were given.
    pub(super) fn passwords(&self) -> &[Digest] {
        &self.passwords
    }

    /// All the rules that make this user, parted by blanks.
    pub(super) fn describe(&self, identity: Identity) -> Vec<u8> {
        let mut out = Vec::new();
        for flag in self.flags() {
            out.extend(flag.bytes());
            out.push(b' ');
        }
        for digest in &self.passwords {
            out.extend(format!("#{digest} ").into_bytes());
        }
        self.root.describe(&mut out, identity);
        for selector in &self.selectors {
            out.extend(b" (");
            selector.describe(&mut out, identity);
            out.push(b')');
        }
        out
    }
}
