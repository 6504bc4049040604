//! Hello messages, peers' opinions, and what follows from them.

use super::first;
use super::world::World;
use crate::core::fuzz::hello_again;

/// Texts that end in a zero byte. The first byte of each says what it is: `h` a hello heard on the primary, `r` one heard
/// on a replica, `p` one that a client publishes, `o` the bytes of a peer's answers to questions from then on, `d` the
/// end of the primary's answers, `u` their return; anything else lets as many ms pass as its number says. The
/// engine keeps its bounds, epochs never go back, and what it saves can be read again.
pub fn hello(data: &[u8]) {
    let mut world = World::new();
    world.run(100);
    for text in data.split(|byte| *byte == 0).take(64) {
        let (kind, text) = first(text);
        let words = String::from_utf8_lossy(text);
        hello_again(&words);
        match kind {
            b'h' => world.hear(0, text),
            b'r' => world.hear(1, text),
            b'p' => world.command(&[b"PUBLISH", b"__sentinel__:hello", text]),
            b'o' => world.peers_answer(text),
            b'd' => world.primary_silent(true),
            b'u' => world.primary_silent(false),
            b'a' => {
                let words: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
                let mut request: Vec<&[u8]> =
                    vec![b"SENTINEL", b"is-master-down-by-addr", b"127.0.0.1", b"6379"];
                request.extend(words);
                // What has another number of words never reaches the engine.
                if request.len() == 6 {
                    world.command(&request);
                }
            }
            _ => world.run(words.trim().parse().unwrap_or(500).min(20_000)),
        }
    }
    world.run(5000);
    world.check_file();
}
