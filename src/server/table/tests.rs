use super::*;

fn words(text: &str) -> Vec<Bytes> {
    text.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
}

#[test]
fn ids_are_positions() {
    let ids: Vec<u8> = rows::TOP
        .iter()
        .chain(rows::TOP.iter().flat_map(|spec| spec.subcommands))
        .map(|spec| spec.id)
        .collect();
    assert_eq!(ids.len(), COUNT);
    let mut sorted = ids;
    sorted.sort_unstable();
    assert!(sorted.iter().map(|id| usize::from(*id)).eq(0..COUNT));
    const { assert!(COUNT <= 128, "sets of commands hold 128") };
}

#[test]
fn names_fit_their_containers() {
    for top in &rows::TOP {
        assert_eq!(top.name, top.full_name);
        for sub in top.subcommands {
            assert_eq!(sub.full_name, format!("{}|{}", top.name, sub.name));
        }
    }
}

#[test]
fn every_command_has_its_speed() {
    for spec in all() {
        assert_ne!(
            spec.categories.contains(Category::FAST),
            spec.categories.contains(Category::SLOW),
            "{}",
            spec.full_name
        );
        assert_eq!(
            spec.flags.contains(Flags::FAST),
            spec.categories.contains(Category::FAST),
            "{}",
            spec.full_name
        );
        if spec.flags.contains(Flags::ADMIN) {
            assert!(spec.categories.contains(Category::ADMIN), "{}", spec.full_name);
            assert!(spec.categories.contains(Category::DANGEROUS), "{}", spec.full_name);
        }
    }
}

#[test]
fn identities_list_what_their_product_has() {
    for (identity, top, flat) in
        [(Identity::Redis70, 15, 72), (Identity::Redis80, 15, 73), (Identity::Valkey80, 15, 77)]
    {
        let table = Table::new(identity);
        assert_eq!(table.listed().count(), top);
        assert_eq!(table.listed_flat().count(), flat);
    }
}

#[test]
fn unlisted_commands_stand_under_a_listed_right() {
    for identity in [Identity::Redis70, Identity::Redis80, Identity::Valkey80] {
        for spec in all().filter(|spec| spec.name != "quit") {
            let right = spec.right(identity);
            assert!(right.listing.by(identity), "{}", spec.full_name);
            assert_eq!(right.categories, spec.categories, "{}", spec.full_name);
        }
    }
    let primary = lookup_full(b"sentinel|primary").unwrap();
    assert_eq!(primary.right(Identity::Redis70).full_name, "sentinel|master");
    assert_eq!(primary.right(Identity::Valkey80).full_name, "sentinel|primary");
}

#[test]
fn names_are_found_in_any_case() {
    let table = Table::new(Identity::Redis70);
    assert_eq!(table.find(&words("pInG")).unwrap().full_name, "ping");
    assert_eq!(table.find(&words("sentinel Master x")).unwrap().full_name, "sentinel|master");
    assert_eq!(table.find(&words("SENTINEL PRIMARIES")).unwrap().full_name, "sentinel|primaries");
    assert_eq!(table.find(&words("client setinfo lib-name x")).unwrap().full_name, "client|setinfo");
    assert_eq!(table.find(&words("COMMAND")).unwrap().full_name, "command");
    assert_eq!(lookup(b"QUIT").unwrap().full_name, "quit");
    assert!(lookup_full(b"ping|x").is_none() && lookup_full(b"sentinel|").is_none());
}

#[test]
fn what_is_wrong_with_a_request_is_told_apart() {
    let table = Table::new(Identity::Redis70);
    let error = |text: &str| table.find(&words(text)).unwrap_err();
    assert!(matches!(error("get a b"), LookupError::UnknownCommand));
    assert!(matches!(error("get"), LookupError::UnknownCommand));
    assert!(matches!(table.find(&[]).unwrap_err(), LookupError::UnknownCommand));
    assert!(matches!(error("client NO-TOUCH on"), LookupError::UnknownSubcommand));
    let arity = |text: &str| match error(text) {
        LookupError::Arity(spec) => spec.arity_text(),
        LookupError::UnknownCommand | LookupError::UnknownSubcommand => panic!("{text}"),
    };
    assert_eq!(arity("sentinel"), "ERR wrong number of arguments for 'sentinel' command");
    assert_eq!(arity("SENTINEL MASTER"), "ERR wrong number of arguments for 'sentinel|master' command");
    assert_eq!(arity("COMMAND COUNT x"), "ERR wrong number of arguments for 'command|count' command");
    assert_eq!(arity("publish x"), "ERR wrong number of arguments for 'publish' command");
}

#[test]
fn renamed_commands_keep_their_full_name() {
    let mut table = Table::new(Identity::Redis70);
    table.rename("PING", "Pong").unwrap();
    table.rename("sentinel", "SX").unwrap();
    table.rename("role", "").unwrap();
    assert_eq!(table.rename("get", "x"), Err("No such command in rename-command"));
    assert_eq!(table.rename("info", "auth"), Err("Target command name already exists"));
    assert_eq!(table.find(&words("PONG")).unwrap().full_name, "ping");
    assert_eq!(table.find(&words("sx masters")).unwrap().full_name, "sentinel|masters");
    assert_eq!(table.lookup_full(b"sx|master").unwrap().full_name, "sentinel|master");
    assert!(table.lookup(b"ping").is_none() && table.lookup(b"role").is_none());
    assert!(matches!(table.find(&words("sx nope")), Err(LookupError::UnknownSubcommand)));
    assert!(!table.listed().any(|spec| spec.name == "role"));
}
