//! The environment as the uppermost layer: `STEWARD_HUB__HTTP__LISTEN` is `http.listen`.
//! Only variables that begin with the prefix and two underscores are looked at.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::tree::{Document, Entry, Kind, Node};

impl Document {
    /// Overrides single keys by variables named `{prefix}__A__B`. A text stays a text where the layer below
    /// has one; otherwise a value is read as TOML (`10`, `true`, `["a"]`) and, failing that, as a text.
    pub fn overridden_by_environment(
        mut self,
        prefix: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Fault>> {
        let start = format!("{prefix}__");
        let mut faults = Vec::new();
        for (name, value) in variables {
            let Some(rest) = name.strip_prefix(&start) else { continue };
            let keys: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
            let source = format!("environment variable {name}");
            if let Err((message, way_out)) = set(&mut self.root, &keys, &source, &value) {
                faults.push(Fault::of_file(&source, message, way_out));
            }
        }
        if faults.is_empty() { Ok(self) } else { Err(faults) }
    }
}

fn set(root: &mut Node, keys: &[String], source: &str, value: &str) -> Result<(), (String, String)> {
    let Some((last, parents)) = keys.split_last().filter(|_| keys.iter().all(|k| !k.is_empty())) else {
        return Err(("the name has an empty part".to_owned(), "name it PREFIX__TABLE__KEY".to_owned()));
    };
    let mut at = root;
    for key in parents {
        let Kind::Table(entries) = &mut at.kind else { return Err(not_a_table(key)) };
        at = &mut entries
            .entry(key.clone())
            .or_insert_with(|| {
                let node = Document::leaf(source.to_owned(), |place| Node {
                    place,
                    kind: Kind::Table(BTreeMap::new()),
                });
                Entry { key: node.place.clone(), node }
            })
            .node;
    }
    let Kind::Table(entries) = &mut at.kind else { return Err(not_a_table(last)) };
    let text_below = matches!(entries.get(last).map(|e| &e.node.kind), Some(Kind::Text(_)));
    let as_toml = if text_below { None } else { Document::parse_value(source, value) };
    let node = as_toml.unwrap_or_else(|| {
        Document::leaf(source.to_owned(), |place| Node { place, kind: Kind::Text(value.to_owned()) })
    });
    entries.insert(last.clone(), Entry { key: node.place.clone(), node });
    Ok(())
}

fn not_a_table(key: &str) -> (String, String) {
    (format!("what stands before {key} is no table"), "set the whole value in the file instead".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{ByteSize, listing};
    use super::*;

    const DEFAULT: &str =
        "name = \"7\"\n[http]\nlisten = \"127.0.0.1:8080\"\nthreads = 2\n[log]\nlevel = \"info\"\n";

    fn layered(file: &str, variables: &[(&str, &str)]) -> Result<(String, String, u8, String), Vec<Fault>> {
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Document::parse("hub.default.toml", DEFAULT)?
            .overridden_by(Document::parse("hub.toml", file)?)
            .overridden_by_environment("STEWARD_HUB", variables)?
            .read(|root| {
                let http = root.table("http")?;
                let log = root.table("log")?;
                let (name, listen) = (root.required("name"), http.required("listen"));
                let (threads, level) = (http.required("threads"), log.required("level"));
                Some((name?, listen?, threads?, level?))
            })
    }

    #[test]
    fn the_file_overrides_the_default_and_the_environment_overrides_both() {
        let file = "[http]\nlisten = \"0.0.0.0:80\"\nthreads = 4\n";
        let variables = [
            ("STEWARD_HUB__HTTP__THREADS", "8"),
            ("STEWARD_HUB__NAME", "9"),
            ("STEWARD_EDGE__X", "1"),
            ("PATH", "/"),
        ];
        let got = layered(file, &variables).unwrap();
        assert_eq!(got, ("9".to_owned(), "0.0.0.0:80".to_owned(), 8, "info".to_owned()));
    }

    #[test]
    fn an_unknown_variable_is_a_fault_that_names_it() {
        let faults = layered("", &[("STEWARD_HUB__HTTP__LISTN", "x:1")]).unwrap_err();
        assert_eq!(
            listing(&faults),
            "environment variable STEWARD_HUB__HTTP__LISTN: http.listn: this key is not known; did you mean listen?"
        );
        let faults = layered("", &[("STEWARD_HUB__NAME__X", "1")]).unwrap_err();
        assert!(faults[0].to_string().contains("is no table"), "{}", faults[0]);
    }

    #[test]
    fn a_fault_points_into_the_layer_that_it_came_from() {
        let faults = layered("[http]\nthreads = \"many\"\n[log]\nlevl = \"debug\"\n", &[]).unwrap_err();
        assert_eq!(faults.len(), 2);
        assert!(faults[0].to_string().starts_with("hub.toml:2:11: http.threads: "), "{}", faults[0]);
        assert!(faults[1].to_string().starts_with("hub.toml:4:1: log.levl: "), "{}", faults[1]);
    }

    #[test]
    fn a_text_that_is_no_toml_says_where() {
        let faults = Document::parse("edge.toml", "a = 1\nb = = 2\n").unwrap_err();
        assert!(faults[0].to_string().starts_with("edge.toml:2:5: this is no TOML"), "{}", faults[0]);
    }

    #[test]
    fn every_line_that_is_no_toml_is_told() {
        let faults =
            Document::parse("edge.toml", "a = = 1\n[b]\nc = 1\nd =\nf = 1\n温度 = \"x\ne = 2\n").unwrap_err();
        let lines: Vec<usize> = faults.iter().map(|f| f.line).collect();
        assert_eq!(lines, [1, 4, 6], "{}", listing(&faults));
        assert!(Document::parse("edge.toml", &"[".repeat(100)).unwrap_err().len() <= 5);
        let unclosed = Document::parse("edge.toml", "a = [1,\n2,\n[b]\nc = 1\n[d]\n").unwrap_err();
        assert_eq!(unclosed.len(), 1, "{}", listing(&unclosed));
    }

    #[test]
    fn a_missing_key_says_what_to_add() {
        let document = Document::parse("edge.toml", "[buffer]\n").unwrap();
        let faults = document.read(|root| root.table("buffer")?.required::<ByteSize>("quota")).unwrap_err();
        assert_eq!(
            listing(&faults),
            "edge.toml:1:1: buffer.quota: this key is missing; add quota = \"512MiB\""
        );
    }
}
