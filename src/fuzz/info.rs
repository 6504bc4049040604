//! INFO of data nodes, and what follows from it.

use super::first;
use super::world::World;
use crate::core::fuzz::facts_again;

/// Texts that end in a zero byte. The first byte of each says whose INFO it is from then on (`0` the primary's, `1` and
/// `2` the replicas'); then some time passes. The engine keeps its bounds, and what it saves can be read again.
pub fn info(data: &[u8]) {
    let mut world = World::new();
    for text in data.split(|byte| *byte == 0).take(16) {
        let (node, text) = first(text);
        facts_again(&String::from_utf8_lossy(text));
        world.says(usize::from(node % 3), text);
        world.run(600);
    }
    world.run(3000);
    world.check_file();
}
