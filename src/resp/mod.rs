//! The wire protocol, without IO: bounded request decoder, replies and their bytes in RESP2 and RESP3.

mod encode;
pub(crate) mod inline;
mod reply;
pub mod request;
mod response;

pub use encode::{Protocol, encode_reply, encode_request};
pub(crate) use encode::{bulk, header, line};
pub use reply::Reply;
pub use response::{ReplyDecoder, ReplyError};
