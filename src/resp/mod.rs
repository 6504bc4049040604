//! The wire protocol, without IO: bounded request decoder, replies and their bytes in RESP2 and RESP3.

mod reply;

pub use reply::Reply;
