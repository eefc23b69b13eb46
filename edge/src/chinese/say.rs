//! Faults in Chinese. Whoever finds a fault of a file or of the machine tells it in English, far from any reader; on the
//! way to a reader of Chinese it passes here, and what `faults` knows is said again. What it does not know stays as it is.

use std::io;

use super::faults::{FAULTS, SYSTEM, WORDS};

/// What was told in English far from the reader, line by line.
pub fn chinese(told: &str) -> String {
    told.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// What is Chinese already may hold what is not: each part of the sentence for itself.
fn line(told: &str) -> String {
    system(told).split('；').map(part).collect::<Vec<_>>().join("；")
}

/// `place: what is wrong; the way out`.
fn part(told: &str) -> String {
    let (what, way_out) = match told.split_once("; ") {
        Some((what, way_out)) => (what, Some(way_out)),
        None => (told, None),
    };
    let Some(way_out) = way_out else { return behind_place(what) };
    let way_out =
        said(way_out).unwrap_or_else(|| way_out.split("; ").map(behind_place).collect::<Vec<_>>().join("；"));
    format!("{}；{way_out}", behind_place(what))
}

/// The first part that is known, with the file, line and key that stand before it; or each part of a chain of causes.
fn behind_place(told: &str) -> String {
    let behind = |colon: &'static str| told.match_indices(colon).map(move |(at, _)| at + colon.len());
    let starts = std::iter::once(0).chain(behind(": ")).chain(behind("："));
    for start in starts {
        if let Some((place, what)) = told.split_at_checked(start)
            && let Some(zh) = said(what)
        {
            return format!("{}{zh}", each(place));
        }
    }
    each(told)
}

fn each(chain: &str) -> String {
    chain.split(": ").map(|part| said(part).unwrap_or_else(|| part.to_owned())).collect::<Vec<_>>().join(": ")
}

/// Of several that fit the one that says most.
fn said(told: &str) -> Option<String> {
    let fits = FAULTS.iter().filter_map(|(en, zh)| Some((en.len(), zh, holes(en, told)?)));
    let (_, zh, holes) = fits.max_by_key(|(says, ..)| *says)?;
    Some(filled(zh, &holes))
}

/// What stands in the holes of a sentence, `{}`, if it is this one.
fn holes<'t>(sentence: &str, told: &'t str) -> Option<Vec<&'t str>> {
    let mut parts = sentence.split("{}");
    let first = parts.next().unwrap_or_default();
    let mut rest = told.strip_prefix(first)?;
    let mut holes = Vec::new();
    let parts: Vec<&str> = parts.collect();
    for (n, part) in parts.iter().enumerate() {
        let is_last = n + 1 == parts.len();
        let end = if is_last { rest.len().checked_sub(part.len())? } else { rest.find(part)? };
        let (hole, behind) = rest.split_at_checked(end)?;
        // A place in a file is nothing that a sentence begins with.
        if hole.is_empty() || (first.is_empty() && n == 0 && hole.contains(": ")) {
            return None;
        }
        rest = behind.strip_prefix(part)?;
        holes.push(hole);
    }
    rest.is_empty().then_some(holes)
}

/// A hole `{=}` is filled with what a person has written there, as it is.
fn filled(sentence: &str, holes: &[&str]) -> String {
    let (mut text, mut rest) = (String::new(), sentence);
    for hole in holes {
        let Some(at) = rest.find("{}").into_iter().chain(rest.find("{=}")).min() else { break };
        let (before, behind) = rest.split_at(at);
        text.push_str(before);
        if let Some(behind) = behind.strip_prefix("{=}") {
            text.push_str(hole);
            rest = behind;
        } else {
            text.push_str(&word(hole));
            rest = behind.strip_prefix("{}").unwrap_or_default();
        }
    }
    text.push_str(rest);
    text
}

/// A word of the programs in a hole, or what a person has written there.
fn word(told: &str) -> String {
    if let Some((_, zh)) = WORDS.iter().find(|(en, _)| *en == told) {
        return (*zh).to_owned();
    }
    said(told).unwrap_or_else(|| told.replace("\" or \"", "\"、\""))
}

/// What the system says is wrong, which has a number; some pass it on without.
fn system(told: &str) -> String {
    let mut text = told.to_owned();
    for (number, zh) in SYSTEM {
        let en = io::Error::from_raw_os_error(*number).to_string();
        let bare = en.split(" (os error").next().unwrap_or(&en);
        for en in [en.as_str(), bare] {
            if text.contains(en) {
                text = text.replace(en, zh);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use steward_shared::document::listing;
    use steward_shared::profile::Profile;

    use super::*;
    use crate::config::parse;

    /// English that is left in Chinese: two words of letters in a row.
    fn english(line: &str) -> bool {
        let words: Vec<&str> = line.split([' ', '；', '：', '，']).collect();
        words
            .windows(2)
            .any(|pair| pair.iter().all(|w| w.len() > 1 && w.chars().all(|c| c.is_ascii_lowercase())))
    }

    #[test]
    fn the_usual_faults_of_a_gateways_file_are_told_in_chinese() {
        let text = "[gateway]\nname = \"\"\n[htp]\nlisten = \"x\"\n[http]\nlisten = \"nowhere\"\n[periods]\nnormal = \"10\"\n\
            [[line]]\nname = \"a\"\nkind = \"tcp\"\nhost = \"10.0.0.5\"\nport = 99999\ntimout = \"3s\"\n\
            [[line.device]]\nname = \"m\"\nprofile = \"schneider/pm5351\"\naddress = 300\n\
            [[line]]\nname = \"a\"\nkind = \"serial\"\nport = \"ttyS1\"\nbaud = 9601\nparity = \"evn\"\ndata_bits = 7\n\
            [[line.device]]\nname = \"m\"\nprofile = \"schneider/pm5350\"\naddress = \"x\"\n\
            [[line.device]]\nname = \"n\"\nprofile = \"shelly/pro-3em\"\n";
        let faults = parse("edge.toml", text, Path::new("/"), []).unwrap_err();
        let (en, zh) = (listing(&faults), chinese(&listing(&faults)));
        assert!(faults.len() > 10, "{en}");
        for (en, zh) in en.lines().zip(zh.lines()) {
            assert!(!english(zh) && zh != en, "{en}\n{zh}");
        }
        assert!(zh.contains("edge.toml:14:1: line[0].timout: 没有这个键；是不是 timeout？"), "{zh}");
        let missing = chinese(&listing(&parse("edge.toml", "", Path::new("/"), []).unwrap_err()));
        assert!(missing.contains("缺少这个键；加上 "), "{missing}");
        let broken = listing(&parse("edge.toml", "[gateway\nname = 1", Path::new("/"), []).unwrap_err());
        assert!(
            chinese(&broken).contains("不是 TOML：") && chinese(&broken).contains("先改正这里"),
            "{broken}"
        );
    }

    #[test]
    fn the_usual_faults_of_a_profile_are_told_in_chinese() {
        let text = "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = { zh = \"表\", en = \"\" }\nsource = []\n\
            [[point]]\nkey = \"A b\"\ntitle = { zh = \"甲\", en = \"A\" }\ntable = \"holding\"\naddress = 65535\ntype = \"u32\"\nunit = \"kw\"\n\
            [[point]]\nkey = \"p\"\ntitle = { zh = \"甲\", en = \"A\" }\ntable = \"input\"\naddress = 1\ntype = \"u61\"\nunit = \"kW\"\n\
            [[point]]\nkey = \"q\"\ntitle = { zh = \"甲\", en = \"A\" }\ntable = \"input\"\naddress = 1\ntype = \"u16\"\nunit = \"kW\"\nscale = 0\nwrite = { min = 5, max = 1 }\n\
            [[point]]\nkey = \"q\"\nkind = \"enumeration\"\ntitle = { zh = \"甲\", en = \"A\" }\ntable = \"input\"\naddress = 1\ntype = \"u16\"\n";
        let faults = Profile::parse("acme/m1.toml", text).unwrap_err();
        let (en, zh) = (listing(&faults), chinese(&listing(&faults)));
        assert!(faults.len() > 6, "{en}");
        for (en, zh) in en.lines().zip(zh.lines()) {
            assert!(!english(zh) && zh != en, "{en}\n{zh}");
        }
    }

    #[test]
    fn what_the_system_says_is_told_in_chinese_and_the_unknown_stays() {
        let told = "the port /dev/nosuch cannot be opened: No such file or directory (os error 2)";
        assert_eq!(chinese(told), "端口 /dev/nosuch 打不开：没有这个文件或目录");
        assert_eq!(
            chinese(
                "a.toml: cannot be read: Permission denied (os error 13); check the path and its permissions"
            ),
            "a.toml: 不能读取：没有权限；检查路径和权限"
        );
        let within = "/dev/nosuch 打不开：No such file or directory；请先停止";
        assert_eq!(chinese(within), "/dev/nosuch 打不开：没有这个文件或目录；请先停止");
        let host = "连不上：failed to lookup address information: Name or service not known";
        assert_eq!(chinese(host), "连不上：查不到这个主机名（没有这个名字）");
        let chain = "the line cannot be borrowed: the line is lent already, or does not become free";
        assert_eq!(chinese(chain), "借不到线路: 线路已借出，或空不出来");
        for kept in ["已经是中文", "something new: happened; do nothing", ""] {
            assert_eq!(chinese(kept).replace('；', "; "), kept);
        }
    }

    /// Whoever says it otherwise in English is told here that the Chinese is lost.
    #[test]
    fn every_sentence_of_the_table_is_said_somewhere() {
        fn read(folder: &Path, all: &mut String) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    read(&path, all);
                } else if !path.ends_with("chinese/faults.rs") {
                    all.push_str(&std::fs::read_to_string(&path).unwrap_or_default());
                }
            }
        }
        // The words of the system's resolver.
        let mut all = "failed to lookup address information: ".to_owned();
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["src", "protocols/src", "../shared/src"] {
            read(&own.join(folder), &mut all);
        }
        let all = all.replace("\\\"", "\"");
        for (en, zh) in FAULTS {
            let holes = zh.matches("{}").count() + zh.matches("{=}").count();
            assert_eq!(en.matches("{}").count(), holes, "{en}");
            // Behind a colon stands what caused it, and a question is put before a way out: others have said these.
            let parts = en.split("{}").flat_map(|part| part.split("? "));
            for part in parts.map(|part| part.trim().trim_end_matches(':')).filter(|part| part.len() > 3) {
                assert!(all.contains(part), "nobody says \"{part}\" of \"{en}\" any more");
            }
        }
    }
}
