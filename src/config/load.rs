//! From file, standard input and options to a [`Config`], or to the reason why the daemon doesn't start.
//!
//! The three are read as one text, in that order; the last setting of a directive wins.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::directives::Directives;
use super::fleet::Coordination;
use super::general::{General, UserLine};
use super::refusal::{Cause, Refusal};
use super::sentinel_lines::{self, Queued};
use super::system::System;
use super::values::Values;
use super::{Config, Identity, grammar, include, table};
use crate::core::action::Level;

/// What the command line names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The file, as given.
    pub file: Option<PathBuf>,
    /// Standard input is to be read.
    pub stdin: bool,
    /// The options as configuration lines.
    pub options: Vec<u8>,
    /// What the daemon calls itself unless the configuration says otherwise.
    pub identity: Identity,
}

/// The commands of Sentinel that `rename-command` may name.
const COMMANDS: [&str; 15] = [
    "acl",
    "auth",
    "client",
    "command",
    "hello",
    "info",
    "ping",
    "psubscribe",
    "publish",
    "punsubscribe",
    "role",
    "sentinel",
    "shutdown",
    "subscribe",
    "unsubscribe",
];

/// How deep one file may include another.
const MAX_INCLUDE_DEPTH: usize = 16;

/// The configuration, and what the log should say about reading it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Lines for the log.
    pub notes: Vec<(Level, String)>,
    /// What was read from standard input.
    pub stdin: Vec<u8>,
}

/// Reads the configuration. Changes the working directory where the configuration says so, and nothing else.
///
/// # Errors
/// Why the daemon can't start.
pub fn load(sources: &Sources, system: &dyn System) -> Result<Loaded, Box<Refusal>> {
    let mut reader = Reader::new(sources, system);
    match reader.run(sources) {
        Ok(config) => Ok(Loaded { config, notes: reader.notes, stdin: reader.stdin }),
        Err(cause) => Err(Box::new(Refusal {
            cause,
            identity: reader.identity(),
            log: reader.general(&reader.dir).log_config(reader.own.log_format),
            notes: reader.notes,
        })),
    }
}

struct Reader<'a> {
    system: &'a dyn System,
    values: Values,
    users: Vec<UserLine>,
    renamed: Vec<(String, String)>,
    own: Directives,
    /// Where each `vedette` directive stood last: number and text of the line.
    own_lines: BTreeMap<String, (usize, String)>,
    queue: Vec<Queued>,
    notes: Vec<(Level, String)>,
    dir: PathBuf,
    stdin: Vec<u8>,
    /// The identity if the configuration names none.
    fallback: Identity,
}

/// The line that is being read.
struct Line<'a> {
    number: usize,
    text: &'a [u8],
}

impl Line<'_> {
    fn shown(&self) -> String {
        String::from_utf8_lossy(self.text).into_owned()
    }

    fn refuse(&self, message: impl Into<String>) -> Cause {
        Cause::Statement { line: Some((self.number, self.shown())), message: message.into() }
    }
}

const BAD_DIRECTIVE: &str = "Bad directive or wrong number of arguments";

impl<'a> Reader<'a> {
    fn new(sources: &Sources, system: &'a dyn System) -> Self {
        Self {
            system,
            values: Values::default(),
            users: Vec::new(),
            renamed: Vec::new(),
            own: Directives::default(),
            own_lines: BTreeMap::new(),
            queue: Vec::new(),
            notes: Vec::new(),
            dir: system.current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            stdin: Vec::new(),
            fallback: sources.identity,
        }
    }

    fn general(&self, dir: &Path) -> General {
        General::new(self.values.clone(), dir, self.users.clone(), self.renamed.clone())
    }

    fn run(&mut self, sources: &Sources) -> Result<Config, Cause> {
        let path = sources.file.as_ref().map(|file| absolute(&self.dir, file));
        let mut text = Vec::new();
        if let Some(path) = &path {
            text = self.read_file(path)?;
        }
        if sources.stdin {
            self.notes.push((Level::Notice, "Reading config from stdin".to_owned()));
            let more = self
                .system
                .read_stdin()
                .map_err(|error| Cause::Logged(format!("Error reading stdin: {}", reason(&error))))?;
            text.extend_from_slice(&more);
            self.stdin = more;
        }
        if !sources.options.is_empty() {
            text.push(b'\n');
            text.extend_from_slice(&sources.options);
        }
        self.read_text(&text, 0)?;
        let general = self.general(&self.dir);
        if let Some(file) = &general.logfile {
            self.system.appendable(file).map_err(|error| Cause::Statement {
                line: None,
                message: format!("Can't open the log file: {}", reason(&error)),
            })?;
        }
        let mut settings = sentinel_lines::apply(&self.queue, self.system).map_err(|failure| {
            self.notes.extend(failure.note.map(|note| (Level::Warning, note)));
            let line = self.queue.get(failure.index).map(|queued| (queued.line, queued.text.clone()));
            Cause::Statement { line, message: failure.message }
        })?;
        let mut coordination = self.coordination()?;
        match (self.state_file(path.as_deref()), &mut coordination) {
            (Ok(()), _) => {}
            (Err((_, reason)), Some(coordination)) => {
                // Several members may be given one file: an id in it would be that of all of them.
                settings.my_id = None;
                coordination.unsaved = Some(reason);
            }
            (Err((text, _)), None) => return Err(Cause::Logged(text)),
        }
        let path = path.unwrap_or_default();
        let identity = self.identity();
        let own = std::mem::take(&mut self.own);
        Ok(Config { path, general, settings, own, coordination, identity })
    }

    /// What the lines about the fleet come to.
    fn coordination(&self) -> Result<Option<Coordination>, Cause> {
        self.own.fleet.finish(self.system).map_err(|wrong| Cause::Statement {
            line: self.own_lines.get(wrong.directive).cloned(),
            message: wrong.message,
        })
    }

    /// Whether the file can hold the daemon's state; if not, Sentinel's words for it, and the reason.
    fn state_file(&self, path: Option<&Path>) -> Result<(), (String, String)> {
        let Some(path) = path else {
            return Err((
                "Sentinel needs config file on disk to save state. Exiting...".to_owned(),
                "there is no config file".to_owned(),
            ));
        };
        self.system.writable(path).map_err(|error| {
            let reason = reason(&error);
            (format!("Sentinel config file {} is not writable: {reason}. Exiting...", path.display()), reason)
        })
    }

    fn read_file(&self, path: &Path) -> Result<Vec<u8>, Cause> {
        self.system.read(path).map_err(|error| {
            Cause::Logged(format!(
                "Fatal error, can't open config file '{}': {}",
                path.display(),
                reason(&error)
            ))
        })
    }

    fn read_text(&mut self, text: &[u8], depth: usize) -> Result<(), Cause> {
        for (index, raw) in grammar::lines(text).enumerate() {
            let line = Line { number: index + 1, text: grammar::trim(raw) };
            if line.text.is_empty() || line.text[0] == b'#' {
                continue;
            }
            let words = grammar::split_words(line.text).map_err(|error| line.refuse(error.to_string()))?;
            let words = words
                .into_iter()
                .map(String::from_utf8)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| line.refuse("the configuration must be UTF-8"))?;
            if let Some((name, values)) = words.split_first() {
                self.read_line(&line, &name.to_ascii_lowercase(), values, depth)?;
            }
        }
        Ok(())
    }

    fn read_line(
        &mut self,
        line: &Line<'_>,
        name: &str,
        values: &[String],
        depth: usize,
    ) -> Result<(), Cause> {
        match (name, values) {
            ("dir", [dir]) => self.change_dir(dir).map_err(|message| line.refuse(message))?,
            ("client-output-buffer-limit", _) => {
                self.values.set_output_limits(values).map_err(|message| line.refuse(message))?;
            }
            // Data nodes save by this; here it has no effect and disappears with the next rewrite.
            ("save", [_, ..]) => {}
            ("include", [pattern]) => self.include(line, pattern, depth)?,
            ("rename-command", [old, new]) => {
                self.rename(old, new).map_err(|message| line.refuse(message))?;
            }
            ("user", [user, ..]) => {
                if self.users.iter().any(|known| known.words.first() == Some(user)) {
                    return Err(line.refuse(format!(
                        "Error in user declaration '{user}': Duplicate user found. A user can only be defined once in \
                         config files"
                    )));
                }
                check_user(values).map_err(|message| line.refuse(message))?;
                self.users.push(UserLine { words: values.to_vec(), line: line.number, text: line.shown() });
            }
            ("loadmodule", [_, ..]) => {}
            // The word alone stems from the option `--sentinel`.
            ("sentinel", []) => {}
            ("sentinel", _) => {
                self.queue.push(Queued { line: line.number, text: line.shown(), words: values.to_vec() });
            }
            ("vedette", [name, words @ ..]) => {
                let name = name.to_ascii_lowercase();
                self.own.set(&name, words).map_err(|message| line.refuse(message))?;
                self.own_lines.insert(name, (line.number, line.shown()));
            }
            (name, values) if table::DROPPED.contains(&name) && values.len() == 1 => {}
            (name, values) => {
                if let Some(spec) = table::find(name) {
                    self.values.set(spec, values).map_err(|message| line.refuse(message))?;
                } else if !name.contains('.') {
                    return Err(line.refuse(BAD_DIRECTIVE));
                } else if values.is_empty() {
                    return Err(line.refuse("Module config specified without value"));
                }
            }
        }
        Ok(())
    }

    fn identity(&self) -> Identity {
        self.own.identity.unwrap_or(self.fallback)
    }

    fn change_dir(&mut self, dir: &str) -> Result<(), String> {
        self.system.change_dir(Path::new(dir)).map_err(|error| reason(&error))?;
        self.dir = self.system.current_dir().map_err(|error| reason(&error))?;
        Ok(())
    }

    fn rename(&mut self, old: &str, new: &str) -> Result<(), &'static str> {
        let gone = |name: &str| self.renamed.iter().any(|(old, _)| old.eq_ignore_ascii_case(name));
        let taken = |name: &str| self.renamed.iter().any(|(_, new)| new.eq_ignore_ascii_case(name));
        let exists = |name: &str| {
            taken(name) || (COMMANDS.iter().any(|command| command.eq_ignore_ascii_case(name)) && !gone(name))
        };
        if !exists(old) {
            return Err("No such command in rename-command");
        }
        if !new.is_empty() && exists(new) {
            return Err("Target command name already exists");
        }
        // A command that was renamed before keeps its first name as the old one.
        match self.renamed.iter_mut().find(|(_, name)| !name.is_empty() && name.eq_ignore_ascii_case(old)) {
            Some((_, name)) => new.clone_into(name),
            None => self.renamed.push((old.to_owned(), new.to_owned())),
        }
        Ok(())
    }

    fn include(&mut self, line: &Line<'_>, pattern: &str, depth: usize) -> Result<(), Cause> {
        if depth >= MAX_INCLUDE_DEPTH {
            return Err(line.refuse("include is nested too deeply"));
        }
        for file in include::expand(Path::new(pattern), &self.dir, self.system) {
            let text = self.read_file(&file)?;
            self.read_text(&text, depth + 1)?;
        }
        Ok(())
    }
}

/// Checks the rules of a user. Commands are looked up later.
fn check_user(words: &[String]) -> Result<(), String> {
    crate::server::acl::check_line(words).map_err(|(rule, reason)| {
        // Sentinel counts from the start of the line and so names a word two before the wrong one.
        let named = match rule {
            0 => Some("user"),
            _ => words.get(rule - 1).map(String::as_str),
        };
        format!("Error in user declaration '{}': {reason}", named.unwrap_or_default())
    })
}

/// A path from the root, with `..` at its front taken away from the working directory.
fn absolute(dir: &Path, file: &Path) -> PathBuf {
    if file.is_absolute() {
        return file.to_owned();
    }
    let mut dir = dir.to_owned();
    let mut rest = file.components();
    while rest.clone().next() == Some(Component::ParentDir) {
        rest.next();
        dir.pop();
    }
    dir.join(rest.as_path())
}

/// The system's words for an error, without its number.
pub(super) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests;
