//! The objects inside annotations: JSON, read key by key, so that an error names its place and what nobody here knows is
//! kept and written back.

use serde_json::{Map, Value};

use super::error::Error;

/// Longest annotation that is read, in bytes. Kubernetes allows 256 KiB for all of an object together.
pub(super) const LONGEST_ANNOTATION: usize = 192 * 1024;
/// Longest text inside, in bytes.
pub(super) const LONGEST_TEXT: usize = 512;

/// Keys of an object that this daemon doesn't know; they are written back as they are.
pub type Rest = Map<String, Value>;

/// An object that is being taken apart.
pub(super) struct Fields {
    place: String,
    map: Rest,
}

/// The JSON in an annotation.
pub(super) fn json(place: &str, text: &str) -> Result<Value, Error> {
    if text.len() > LONGEST_ANNOTATION {
        return Err(Error::new(place, text, "is too long"));
    }
    serde_json::from_str(text).map_err(|_| Error::new(place, text, "is no JSON"))
}

/// The items of a list, each with its place.
pub(super) fn items(place: &str, value: Value, most: usize) -> Result<Vec<(String, Value)>, Error> {
    let Value::Array(items) = value else {
        return Err(Error::new(place, &value.to_string(), "is no list"));
    };
    if items.len() > most {
        return Err(Error::new(place, &items.len().to_string(), "are too many"));
    }
    Ok(items.into_iter().enumerate().map(|(at, item)| (format!("{place}[{at}]"), item)).collect())
}

/// A text within its bounds.
pub(super) fn text(place: &str, value: Value) -> Result<String, Error> {
    match value {
        Value::String(text) if text.len() <= LONGEST_TEXT => Ok(text),
        Value::String(text) => Err(Error::new(place, &text, "is too long")),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(Error::new(place, &other.to_string(), "is no text"))
        }
    }
}

impl Fields {
    pub(super) fn of(place: &str, value: Value) -> Result<Self, Error> {
        match value {
            Value::Object(map) => Ok(Self { place: place.to_owned(), map }),
            other
            @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                Err(Error::new(place, &other.to_string(), "is no object"))
            }
        }
    }

    fn place(&self, key: &str) -> String {
        format!("{}: {key}", self.place)
    }

    /// What stands under a key, if it is there, with its place.
    pub(super) fn maybe(&mut self, key: &str) -> Option<(String, Value)> {
        let value = self.map.remove(key)?;
        Some((self.place(key), value))
    }

    fn need(&mut self, key: &str) -> Result<(String, Value), Error> {
        self.maybe(key).ok_or_else(|| Error::new(self.place(key), "", "is missing"))
    }

    pub(super) fn text(&mut self, key: &str) -> Result<String, Error> {
        let (place, value) = self.need(key)?;
        text(&place, value)
    }

    pub(super) fn number(&mut self, key: &str) -> Result<u64, Error> {
        let (place, value) = self.need(key)?;
        value.as_u64().ok_or_else(|| Error::new(place, &value.to_string(), "is no whole number from 0"))
    }

    /// One of some words.
    pub(super) fn word<T>(&mut self, key: &str, known: fn(&str) -> Option<T>) -> Result<T, Error> {
        let (place, value) = self.need(key)?;
        let word = text(&place, value)?;
        known(&word).ok_or_else(|| Error::new(place, &word, "is not known"))
    }

    /// A list of at most `most` items; without the key it is empty.
    pub(super) fn list(&mut self, key: &str, most: usize) -> Result<Vec<(String, Value)>, Error> {
        match self.maybe(key) {
            Some((place, value)) => items(&place, value, most),
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn texts<C: FromIterator<T>, T: From<String>>(
        &mut self,
        key: &str,
        most: usize,
    ) -> Result<C, Error> {
        self.list(key, most)?.into_iter().map(|(place, value)| text(&place, value).map(T::from)).collect()
    }

    /// What was not asked for.
    pub(super) fn rest(self) -> Rest {
        self.map
    }
}
