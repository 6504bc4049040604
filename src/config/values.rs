//! The values of the general directives: defaults, reading, comparing.

use std::collections::BTreeMap;

use super::grammar;
use super::table::{self, Spec};
use super::value::{Kind, Value, memory};
use crate::core::action::Level;

/// The values of all directives of [`table::TABLE`] that hold one value each, and the limits of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    single: BTreeMap<&'static str, Value>,
    limits: [OutputLimit; 3],
}

/// Classes of `client-output-buffer-limit`, in the order in which they are written, with their defaults.
pub const OUTPUT_CLASSES: [(&str, OutputLimit); 3] = [
    ("normal", OutputLimit { hard: 0, soft: 0, soft_seconds: 0 }),
    ("replica", OutputLimit { hard: 256 << 20, soft: 64 << 20, soft_seconds: 60 }),
    ("pubsub", OutputLimit { hard: 32 << 20, soft: 8 << 20, soft_seconds: 60 }),
];

impl Default for Values {
    /// What a Sentinel starts from: the defaults, with its own port and without the protected mode.
    fn default() -> Self {
        let mut single = BTreeMap::new();
        for spec in table::TABLE {
            if let Some(value) = default_value(spec) {
                single.insert(spec.name, value);
            }
        }
        single.insert("port", Value::Number(26379));
        single.insert("protected-mode", Value::Bool(false));
        Self { single, limits: OUTPUT_CLASSES.map(|(_, limit)| limit) }
    }
}

/// The default of a directive as a value. Every default of the table is one; a test holds that.
fn default_value(spec: &Spec) -> Option<Value> {
    let words = match spec.kind {
        Kind::Words => grammar::split_words(spec.default.as_bytes())
            .ok()?
            .into_iter()
            .map(|word| String::from_utf8(word).ok())
            .collect::<Option<Vec<_>>>()?,
        Kind::Bool
        | Kind::Int(..)
        | Kind::Memory(..)
        | Kind::MemoryOrPercent(..)
        | Kind::Octal(..)
        | Kind::Text
        | Kind::OptionalText
        | Kind::Choice(_) => vec![spec.default.to_owned()],
    };
    spec.kind.read(&words).ok()
}

impl Values {
    /// Sets a directive.
    ///
    /// # Errors
    /// Sentinel's text that says what is wrong with the words.
    pub fn set(&mut self, spec: &'static Spec, words: &[String]) -> Result<(), String> {
        // One quoted argument may hold all the words: `--shutdown-on-sigint "nosave force"`.
        let split = match (spec.kind, words) {
            (Kind::Words, [all]) if all.contains(' ') => {
                grammar::split_words(all.as_bytes()).ok().and_then(|parts| {
                    parts.into_iter().map(|part| String::from_utf8(part).ok()).collect::<Option<Vec<_>>>()
                })
            }
            (Kind::Words, [empty]) if empty.is_empty() => Some(Vec::new()),
            _ => None,
        };
        let value = spec.kind.read(split.as_deref().unwrap_or(words))?;
        self.single.insert(spec.name, value);
        Ok(())
    }

    /// Sets the limits of output: class, hard limit, soft limit, seconds, as often as wanted.
    ///
    /// # Errors
    /// Sentinel's text that says what is wrong with the words.
    pub fn set_output_limits(&mut self, words: &[String]) -> Result<(), &'static str> {
        const WRONG: &str = "Wrong number of arguments in buffer limit configuration.";
        let split: Vec<String>;
        let words = match words {
            [all] => {
                split = all.split_whitespace().map(str::to_owned).collect();
                split.as_slice()
            }
            _ => words,
        };
        if words.is_empty() || !words.len().is_multiple_of(4) {
            return Err(WRONG);
        }
        let mut limits = self.limits;
        for quad in words.chunks_exact(4) {
            let class = match quad[0].to_ascii_lowercase().as_str() {
                "normal" => 0,
                "replica" | "slave" => 1,
                "pubsub" => 2,
                _ => return Err("Invalid client class specified in buffer limit configuration."),
            };
            let bytes = |word: &str| memory(word).and_then(|bytes| u64::try_from(bytes).ok());
            let (Some(hard), Some(soft), Ok(soft_seconds)) =
                (bytes(&quad[1]), bytes(&quad[2]), quad[3].parse())
            else {
                return Err("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
            };
            limits[class] = OutputLimit { hard, soft, soft_seconds };
        }
        self.limits = limits;
        Ok(())
    }

    /// The value of a directive.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.single.get(name)
    }

    /// Whether a directive has another value than a data node's default.
    #[must_use]
    pub fn differs(&self, spec: &Spec) -> bool {
        self.single.get(spec.name) != default_value(spec).as_ref()
    }

    /// The limits of output, in the order of [`OUTPUT_CLASSES`].
    #[must_use]
    pub const fn output_limits(&self) -> &[OutputLimit; 3] {
        &self.limits
    }

    pub(super) fn yes(&self, name: &str) -> bool {
        self.single.get(name) == Some(&Value::Bool(true))
    }

    pub(super) fn number<T: TryFrom<i128> + Default>(&self, name: &str) -> T {
        match self.single.get(name) {
            Some(Value::Number(number)) => T::try_from(*number).unwrap_or_default(),
            Some(Value::Bool(_) | Value::Text(_) | Value::Words(_)) | None => T::default(),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.single.get(name) {
            Some(Value::Text(text)) => text.clone().filter(|text| !text.is_empty()),
            Some(Value::Bool(_) | Value::Number(_) | Value::Words(_)) | None => None,
        }
    }

    pub(super) fn words(&self, name: &str) -> Vec<String> {
        match self.single.get(name) {
            Some(Value::Words(words)) => words.clone(),
            Some(Value::Bool(_) | Value::Number(_) | Value::Text(_)) | None => Vec::new(),
        }
    }

    /// Sets the level of the log.
    pub(super) fn set_loglevel(&mut self, level: Level) {
        self.single.insert("loglevel", Value::Text(Some(level.name().to_owned())));
    }
}

/// Limits of what may wait to be sent to one client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Bytes at which the client is closed at once; 0 is none.
    pub hard: u64,
    /// Bytes at which it is closed after `soft_seconds`; 0 is none.
    pub soft: u64,
    /// Seconds.
    pub soft_seconds: u64,
}
