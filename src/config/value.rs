//! Values of general directives: how they are read, compared and written.

use super::grammar;

/// What a directive takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// A whole number within bounds.
    Int(i128, i128),
    /// A number of bytes, with units, within bounds.
    Memory(i128, i128),
    /// As `Memory`, or a percentage from 0 to 100 (kept as a negative number).
    MemoryOrPercent(i128, i128),
    /// Mode bits, in octal.
    Octal(i128, i128),
    /// One text; the empty text is a value.
    Text,
    /// One text; the empty text means "not set".
    OptionalText,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// Any number of words.
    Words,
}

/// The value of a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of the kinds that are numbers.
    Number(i128),
    /// Of [`Kind::Text`], [`Kind::OptionalText`] and [`Kind::Choice`]; `None` is "not set".
    Text(Option<String>),
    /// Of [`Kind::Words`].
    Words(Vec<String>),
}

impl Kind {
    /// Reads a value.
    ///
    /// # Errors
    /// Sentinel's text that says what is wrong.
    pub fn read(self, words: &[String]) -> Result<Value, String> {
        if self == Self::Words {
            return Ok(Value::Words(words.to_vec()));
        }
        let [word] = words else { return Err("wrong number of arguments".to_owned()) };
        match self {
            Self::Bool => match word.to_ascii_lowercase().as_str() {
                "yes" => Ok(Value::Bool(true)),
                "no" => Ok(Value::Bool(false)),
                _ => Err("argument must be 'yes' or 'no'".to_owned()),
            },
            Self::Int(min, max) => {
                let number = strict_number(word).ok_or("argument couldn't be parsed into an integer")?;
                bounded(number, min, max)
            }
            Self::Memory(min, max) => {
                let number = memory(word).ok_or("argument must be a memory value")?;
                bounded(number, min, max)
            }
            Self::MemoryOrPercent(min, max) => {
                if let Some(percent) = word.strip_suffix('%') {
                    let number = strict_number(percent)
                        .filter(|number| (0..=100).contains(number))
                        .ok_or("argument must be a memory or percent value")?;
                    return Ok(Value::Number(-number));
                }
                let number = memory(word).ok_or("argument must be a memory or percent value")?;
                bounded(number, min.max(0), max)
            }
            Self::Octal(min, max) => {
                let number = i128::from_str_radix(word, 8)
                    .map_err(|_| "argument couldn't be parsed as an octal number")?;
                if (min..=max).contains(&number) {
                    Ok(Value::Number(number))
                } else {
                    Err(format!("argument must be between {min:o} and {max:o} inclusive"))
                }
            }
            Self::Text => Ok(Value::Text(Some(word.clone()))),
            Self::OptionalText => Ok(Value::Text((!word.is_empty()).then(|| word.clone()))),
            Self::Choice(choices) => {
                let found = choices.iter().find(|choice| choice.eq_ignore_ascii_case(word));
                found.map(|choice| Value::Text(Some((*choice).to_owned()))).ok_or_else(|| {
                    format!("argument(s) must be one of the following: {}", choices.join(", "))
                })
            }
            Self::Words => Ok(Value::Words(words.to_vec())),
        }
    }

    /// The value as it is written behind the directive's name; `None` if nothing is to be written.
    #[must_use]
    pub fn write(self, value: &Value) -> Option<String> {
        Some(match value {
            Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
            Value::Number(number) => match self {
                Self::Memory(..) => write_memory(*number),
                Self::MemoryOrPercent(..) if *number < 0 => format!("{}%", -number),
                Self::MemoryOrPercent(..) => write_memory(*number),
                Self::Octal(..) => format!("{number:o}"),
                Self::Bool
                | Self::Int(..)
                | Self::Text
                | Self::OptionalText
                | Self::Choice(_)
                | Self::Words => number.to_string(),
            },
            Value::Text(text) => match self {
                Self::Choice(_) => text.clone()?,
                Self::Bool
                | Self::Int(..)
                | Self::Memory(..)
                | Self::MemoryOrPercent(..)
                | Self::Octal(..)
                | Self::Text
                | Self::OptionalText
                | Self::Words => grammar::quote(text.as_ref()?.as_bytes()),
            },
            Value::Words(words) if words.is_empty() => r#""""#.to_owned(),
            Value::Words(words) => words
                .iter()
                .map(|word| grammar::quote_if_needed(word.as_bytes()))
                .collect::<Vec<_>>()
                .join(" "),
        })
    }
}

fn bounded(number: i128, min: i128, max: i128) -> Result<Value, String> {
    if (min..=max).contains(&number) {
        Ok(Value::Number(number))
    } else {
        Err(format!("argument must be between {min} and {max} inclusive"))
    }
}

/// A number without sign `+`, blanks or leading zeros, as Redis reads integers.
fn strict_number(word: &str) -> Option<i128> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let canonical = !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'))
        && word != "-0";
    if canonical { word.parse().ok() } else { None }
}

/// A number of bytes: digits and a unit (`k` is 1000, `kb` is 1024, and so on).
pub(super) fn memory(word: &str) -> Option<i128> {
    let end =
        word.find(|character: char| !character.is_ascii_digit() && character != '-').unwrap_or(word.len());
    let (digits, unit) = word.split_at(end);
    let factor: i128 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    let number: i128 = digits.parse().ok().filter(|number| *number >= 0)?;
    number.checked_mul(factor)
}

pub(super) fn write_memory(bytes: i128) -> String {
    const UNITS: [(i128, &str); 3] = [(1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")];
    for (size, unit) in UNITS {
        if bytes != 0 && bytes % size == 0 {
            return format!("{}{unit}", bytes / size);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, word: &str) -> Result<Value, String> {
        kind.read(&[word.to_owned()])
    }

    #[test]
    fn refusals_have_sentinels_words() {
        let cases = [
            (Kind::Bool, "maybe", "argument must be 'yes' or 'no'"),
            (Kind::Int(0, 65535), "abc", "argument couldn't be parsed into an integer"),
            (Kind::Int(0, 65535), "07", "argument couldn't be parsed into an integer"),
            (Kind::Int(0, 65535), "70000", "argument must be between 0 and 65535 inclusive"),
            (Kind::Memory(0, 10), "foo", "argument must be a memory value"),
            (Kind::Memory(5, 10), "1", "argument must be between 5 and 10 inclusive"),
            (Kind::MemoryOrPercent(-100, 10), "101%", "argument must be a memory or percent value"),
            (Kind::Octal(0, 0o777), "999", "argument couldn't be parsed as an octal number"),
            (Kind::Choice(&["a", "b"]), "c", "argument(s) must be one of the following: a, b"),
        ];
        for (kind, word, text) in cases {
            assert_eq!(read(kind, word), Err(text.to_owned()), "{word}");
        }
        assert_eq!(Kind::Bool.read(&[]), Err("wrong number of arguments".to_owned()));
    }

    #[test]
    fn values_are_written_in_sentinels_form() {
        let cases = [
            (Kind::Bool, "YES", "yes"),
            (Kind::Int(-5, 5), "-3", "-3"),
            (Kind::Memory(0, 1 << 40), "1gb", "1gb"),
            (Kind::Memory(0, 1 << 40), "1536mb", "1536mb"),
            (Kind::Memory(0, 1 << 40), "1k", "1000"),
            (Kind::Memory(0, 1 << 40), "0", "0"),
            (Kind::MemoryOrPercent(-100, 1 << 40), "5%", "5%"),
            (Kind::Octal(0, 0o777), "700", "700"),
            (Kind::Text, "a b", r#""a b""#),
            (Kind::Text, "", r#""""#),
            (Kind::Choice(&["notice"]), "NOTICE", "notice"),
        ];
        for (kind, word, written) in cases {
            let value = read(kind, word).unwrap();
            assert_eq!(kind.write(&value).as_deref(), Some(written), "{word}");
        }
        assert_eq!(Kind::OptionalText.write(&Value::Text(None)), None);
        assert_eq!(Kind::Words.write(&Value::Words(vec![])).as_deref(), Some(r#""""#));
    }
}
