//! From `tracing` events to lines.

use std::fmt;

use jiff::Zoned;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::Threshold;
use super::format::{self, Record};
use super::sink::Sink;
use crate::config::directives::LogFormat;
use crate::core::action::Level;

/// Turns events into lines and gives them to the sink.
pub(super) struct LineLayer {
    threshold: Threshold,
    format: LogFormat,
    sink: Sink,
}

impl LineLayer {
    pub(super) fn new(threshold: Threshold, format: LogFormat, sink: Sink) -> Self {
        Self { threshold, format, sink }
    }
}

/// The level of Sentinel's log that an event belongs to.
fn level_of(metadata: &Metadata<'_>) -> Level {
    match *metadata.level() {
        tracing::Level::TRACE => Level::Debug,
        tracing::Level::DEBUG => Level::Verbose,
        tracing::Level::INFO => Level::Notice,
        _ => Level::Warning,
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LineLayer {
    fn register_callsite(&self, _metadata: &'static Metadata<'static>) -> Interest {
        // The level may change at any time.
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        let level = level_of(metadata);
        let ours = metadata.target().starts_with("vedette");
        if metadata.is_span() {
            ours
        } else {
            (ours || level == Level::Warning) && self.threshold.admits(level)
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut record = Record::default();
            attributes.record(&mut Reader(&mut record));
            span.extensions_mut().insert(record);
        }
    }

    fn on_record(&self, id: &Id, values: &SpanRecord<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(record) = span.extensions_mut().get_mut::<Record>()
        {
            values.record(&mut Reader(record));
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let level = level_of(event.metadata());
        let mut record = Record::default();
        event.record(&mut Reader(&mut record));
        let now = Zoned::now();
        let text = format::text(&record);
        let line = match self.format {
            LogFormat::Sentinel => format::sentinel(level, &text, &now),
            LogFormat::Json => {
                for span in context.event_scope(event).into_iter().flatten() {
                    if let Some(outer) = span.extensions().get::<Record>() {
                        for (name, value) in &outer.fields {
                            record.fields.entry(name).or_insert_with(|| value.clone());
                        }
                    }
                }
                format::json(level, &record, &now)
            }
        };
        self.sink.send(level, line, &text);
    }
}

/// Reads the fields of an event or a span.
struct Reader<'a>(&'a mut Record);

impl Reader<'_> {
    fn set(&mut self, field: &Field, value: serde_json::Value) {
        self.0.fields.insert(field.name(), value);
    }
}

impl Visit for Reader<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.0.message = text;
        } else {
            self.set(field, text.into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0.message);
        } else {
            self.set(field, value.into());
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }
}
