//! The wire protocol, without IO: bounded request decoder, replies and their bytes in RESP2 and RESP3.

mod encode;
mod reply;
mod response;

pub use encode::{Protocol, encode_reply, encode_request};
pub use reply::Reply;
pub use response::{ReplyDecoder, ReplyError};
