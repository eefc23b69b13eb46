//! The OpenAPI document's last touch, called by `app`: what holds for every operation and so stands in no handler,
//! which is the idempotency key, the errors that come from the layers, and the media type of errors.

use serde_json::{Map, Value, json};

const KEY: &str = "IdempotencyKey";
const PROBLEM: &str = "Problem";

pub fn complete(document: &mut Value) {
    for (path, methods) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in methods.as_object_mut().into_iter().flatten() {
            if let Some(operation) = operation.as_object_mut() {
                complete_operation(path, method, operation);
            }
        }
    }
    let components = &mut document["components"];
    components["parameters"][KEY] = json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        "description": "for 24 hours the same request under the same key is done once and gets the same answer",
    });
    components["responses"][PROBLEM] = json!({
        "description": "Refused or failed; `type` says why",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
}

fn complete_operation(path: &str, method: &str, operation: &mut Map<String, Value>) {
    let has = |name: &str| operation.get(name).is_some_and(|v| !v.is_null());
    let needs_session = operation.get("security").is_some_and(|s| s[0].get("session").is_some());
    let (has_body, changes) = (has("requestBody"), method != "get");
    let asks = operation
        .get("parameters")
        .and_then(Value::as_array)
        .is_some_and(|all| all.iter().any(|p| p["in"] == "query"));
    if method == "post" && needs_session {
        let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
        if let Some(all) = parameters.as_array_mut() {
            all.push(json!({"$ref": format!("#/components/parameters/{KEY}")}));
        }
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (_, response) in responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
        if let Some(content) = response.get_mut("content").and_then(Value::as_object_mut)
            && let Some(problem) = content.remove("application/json")
        {
            content.insert("application/problem+json".to_owned(), problem);
        }
    }
    for (status, comes) in [
        ("400", has_body),
        ("401", needs_session),
        ("403", needs_session || changes),
        ("413", has_body),
        ("422", has_body || asks),
        ("500", path.starts_with("/api/")),
        ("503", path.starts_with("/api/")),
    ] {
        if comes && !responses.contains_key(status) {
            responses.insert(status.to_owned(), json!({"$ref": format!("#/components/responses/{PROBLEM}")}));
        }
    }
}
