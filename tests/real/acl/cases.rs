//! Requests that change nothing, and rules.

/// Requests that are answered byte for byte the same.
pub(super) const READ: &str = "
    ACL LIST
    ACL USERS
    ACL WHOAMI
    ACL GETUSER default
    ACL GETUSER nobody
    ACL CAT
    ACL CAT nope
    ACL CAT @admin
    ACL CAT all
    ACL CAT a b
    ACL LOG
    ACL LOG 0
    ACL LOG -1
    ACL LOG x
    ACL LOG 1.5
    ACL LOG 01
    ACL LOG +1
    ACL LOG 99999999999999999999
    ACL LOG RESET
    ACL LOG a b
    ACL SAVE
    ACL LOAD
    ACL GENPASS 0
    ACL GENPASS -5
    ACL GENPASS 4097
    ACL GENPASS abc
    ACL GENPASS 1 2
    ACL DRYRUN nobody ping
    ACL DRYRUN default nope
    ACL DRYRUN default quit
    ACL DRYRUN default ping
    ACL DRYRUN default sentinel
    ACL DRYRUN default sentinel foo
    ACL DRYRUN default sentinel master
    ACL DRYRUN default Sentinel|master x
    ACL DRYRUN default publish x
    ACL DRYRUN default
    ACL
    ACL nope
    acl NoPe x
    ACL WHOAMI x
    ACL LOAD x
    ACL USERS x
    ACL HELP x
    ACL GETUSER
    ACL GETUSER a b
    ACL DELUSER
    ACL DELUSER default
    ACL DELUSER nobody default
    ACL DELUSER nobody
    ACL SETUSER
    COMMAND COUNT
    COMMAND COUNT x
    COMMAND NOPE
    COMMAND INFO nosuch
    COMMAND INFO PING nosuch sentinel|nope sentinel|master acl|cat Client|List
    COMMAND INFO shutdown info publish subscribe auth hello role quit
    COMMAND LIST X
    COMMAND LIST FILTERBY
    COMMAND LIST FILTERBY MODULE
    COMMAND LIST FILTERBY MODULE x
    COMMAND LIST FILTERBY ACLCAT x
    COMMAND LIST FILTERBY ACLCAT @admin
    COMMAND LIST FILTERBY PATTERN
    COMMAND LIST FILTERBY PATTERN a b
    COMMAND LIST FILTERBY FOO p*
    COMMAND DOCS nope
    COMMAND DOCS save blpop
    COMMAND GETKEYS ping
    COMMAND GETKEYS ping a
    COMMAND GETKEYS get a
    COMMAND GETKEYS sentinel master a
    COMMAND GETKEYS sentinel nope a
    COMMAND GETKEYS publish a
    COMMAND GETKEYSANDFLAGS subscribe a
    COMMAND GETKEYSANDFLAGS get a
    CLIENT NO-TOUCH on
";

/// Requests whose answers name commands in an order of their own.
pub(super) const READ_UNORDERED: &str = "
    COMMAND
    COMMAND INFO
    COMMAND INFO sentinel
    COMMAND LIST
    COMMAND LIST FILTERBY ACLCAT admin
    COMMAND LIST FILTERBY ACLCAT FAST
    COMMAND LIST FILTERBY PATTERN P*
    COMMAND LIST filterby pattern sentinel|m*
    COMMAND LIST FILTERBY PATTERN *ng
    ACL CAT keyspace
    ACL CAT pubsub
    ACL CAT ADMIN
    ACL CAT fast
    ACL CAT slow
    ACL CAT dangerous
    ACL CAT connection
";

/// Rules for one new user each, parted by blanks.
pub(super) const RULES: &[&str] = &[
    "on",
    "on nopass +@all",
    "+ping +@connection",
    "+@connection -ping",
    "+@all -@dangerous +sentinel|masters",
    "+get",
    "+config|rewrite",
    "+sentinel|nope",
    "+ping|x",
    "-ping|x",
    "+ping|",
    "+ping|a|b",
    "+ping|a +ping|A +ping|b",
    "+ping|a -ping",
    "+ping|a +@connection -ping",
    "+sentinel|master|x",
    "+acl|x",
    "+|x",
    "+@nope",
    "+acl -acl|save",
    "+@all -client|kill -client|list",
    "+@all -client",
    "+@all -@connection",
    "+@admin",
    "+@admin -sentinel",
    "+@admin -sentinel|set",
    "+@admin +@slow -@dangerous",
    "+@fast +@slow",
    "+@pubsub +@connection -client|kill",
    "+sentinel -sentinel|master",
    "+sentinel|master -sentinel",
    "+@all -sentinel +sentinel|get-master-addr-by-name",
    "+client +@connection",
    "+client -@admin",
    "+client|getname +client|kill -@admin",
    "+@all -@admin +@connection -@connection +@pubsub",
    "allcommands allkeys allchannels",
    "nocommands resetkeys resetchannels",
    "~foo* ~bar &foo &bar",
    "~* ~foo",
    "&* &foo",
    "%R~x %W~y %RW~z",
    "%R~* %W~*",
    "%R",
    "%",
    "%~x",
    "%X~x",
    "%Rx",
    "%RR~x",
    "%rw~x",
    "~",
    "&",
    ">pw >pw",
    ">pw <pw",
    "<pw",
    "nopass >pw",
    ">pw nopass",
    ">1 >2 resetpass",
    "#abc",
    "!abc",
    "#aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "!aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "sanitize-payload",
    "SKIP-SANITIZE-PAYLOAD ON",
    "on >pw +@all ~* reset",
    "foo",
    "@all",
    "+",
    "-",
    "+@",
    "(+ping) (+info)",
    "(+ping ~a &b)",
    "( +ping ~a )",
    "(+ping",
    "+ping)",
    "()",
    "(on)",
    "(+get)",
    "((+ping))",
    "(+ping) clearselectors",
    "(+ping) reset",
    "(~x %R~y allkeys)",
    "+quit",
    "+client|no-touch",
];
