//! Objects from the files that are shipped in `deploy/`.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// All objects of a YAML file, given by its path in the repository.
pub(crate) fn read(path: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    parse(&text)
}

/// All objects of a YAML text.
pub(crate) fn parse(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

/// Puts an object into a namespace, and the subjects of a binding too, as kustomize does.
pub(crate) fn into_namespace(object: &mut Value, namespace: &str) {
    object["metadata"]["namespace"] = namespace.into();
    for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
        subject["namespace"] = namespace.into();
    }
}
