//! The categories that access rules speak of.

/// A category. The order is the order in which they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Category(u8);

/// Names in the order of `ACL CAT`. Most of them hold no command in Sentinel's mode; rules may name them all the same.
const NAMES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

impl Category {
    /// `@pubsub`
    pub const PUBSUB: Self = Self(12);
    /// `@admin`
    pub const ADMIN: Self = Self(13);
    /// `@fast`
    pub const FAST: Self = Self(14);
    /// `@slow`
    pub const SLOW: Self = Self(15);
    /// `@dangerous`
    pub const DANGEROUS: Self = Self(17);
    /// `@connection`
    pub const CONNECTION: Self = Self(18);

    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0u8..).take(NAMES.len()).map(Self)
    }

    /// The name without `@`.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or_default()
    }

    /// The category of a name without `@`, in any case.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::all().find(|category| category.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// A set of categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Categories(u32);

impl Categories {
    /// The set of these.
    #[must_use]
    pub const fn of(categories: &[Category]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < categories.len() {
            bits |= 1 << categories[at].0;
            at += 1;
        }
        Self(bits)
    }

    /// Whether a category is in the set.
    #[must_use]
    pub const fn contains(self, category: Category) -> bool {
        self.0 & (1 << category.0) != 0
    }

    /// The categories of the set, in order.
    pub fn iter(self) -> impl Iterator<Item = Category> {
        Category::all().filter(move |category| self.contains(*category))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_have_their_names() {
        for (category, name) in [
            (Category::PUBSUB, "pubsub"),
            (Category::ADMIN, "admin"),
            (Category::FAST, "fast"),
            (Category::SLOW, "slow"),
            (Category::DANGEROUS, "dangerous"),
            (Category::CONNECTION, "connection"),
        ] {
            assert_eq!(category.name(), name);
            assert_eq!(Category::parse(name.to_ascii_uppercase().as_bytes()), Some(category));
        }
        assert_eq!(Category::parse(b"sentinel"), None);
    }

    #[test]
    fn a_set_keeps_the_order_of_the_list() {
        let set = Categories::of(&[Category::CONNECTION, Category::ADMIN]);
        assert!(set.iter().eq([Category::ADMIN, Category::CONNECTION]));
        assert!(!set.contains(Category::SLOW));
    }
}
