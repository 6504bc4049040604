//! What the benches that make a table have in common: rows and their limits, the table, clients that write, subscribers.

#![allow(dead_code, unused_imports)]

pub(crate) mod chapter;
pub(crate) mod cleanup;
pub(crate) mod document;
pub(crate) mod events;
pub(crate) mod guide;
pub(crate) mod kind;
pub(crate) mod run;
pub(crate) mod sheet;
pub(crate) mod timing;
pub(crate) mod writer;

pub(crate) use chapter::{Chapter, Measure, Plan};
pub(crate) use events::{Event, Events};
pub(crate) use kind::Kind;
pub(crate) use run::{Bench, run};
pub(crate) use sheet::{Figure, Limit, Row, Sheet};
pub(crate) use timing::{ms, spread};
pub(crate) use writer::{Ack, Writer};
