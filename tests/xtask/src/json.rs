//! As much JSON as these commands need: read an answer of the API, quote a text.

use std::collections::BTreeMap;
use std::fmt::Write;

#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
        let value = reader.value(0)?;
        reader.blanks();
        if reader.at == text.len() { Ok(value) } else { Err(reader.fault("the end")) }
    }

    /// The member of an object; `Null` where there is none.
    pub fn get(&self, key: &str) -> &Self {
        match self {
            Self::Object(members) => members.get(key).unwrap_or(&Self::Null),
            _ => &Self::Null,
        }
    }

    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    pub fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }

    pub fn members(&self) -> impl Iterator<Item = (&String, &Self)> {
        let members = if let Self::Object(members) = self { Some(members) } else { None };
        members.into_iter().flatten()
    }
}

/// The text as a JSON string, quotes included.
pub fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn fault(&self, wanted: &str) -> String {
        format!("this is not JSON: {wanted} was expected at byte {}", self.at)
    }

    fn blanks(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.blanks();
        let there = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(there);
        there
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, String> {
        let there = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes()));
        self.at += word.len();
        if there { Ok(value) } else { Err(self.fault(word)) }
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        self.blanks();
        if depth > 64 {
            return Err(self.fault("less nesting"));
        }
        match self.bytes.get(self.at) {
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'[') => self.list(depth),
            Some(b'{') => self.object(depth),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, String> {
        self.at += 1;
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.take(b']') {
                return Ok(Json::List(items));
            }
            if !self.take(b',') {
                return Err(self.fault("`,` or `]`"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, String> {
        self.at += 1;
        let mut members = BTreeMap::new();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.blanks();
            let key = self.string()?;
            if !self.take(b':') {
                return Err(self.fault("`:`"));
            }
            members.insert(key, self.value(depth + 1)?);
            if self.take(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.take(b',') {
                return Err(self.fault("`,` or `}`"));
            }
        }
    }

    fn number(&mut self) -> Result<Json, String> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|b| b.is_ascii_digit() || b"+-.eE".contains(b)) {
            self.at += 1;
        }
        let text = std::str::from_utf8(&self.bytes[start..self.at]).unwrap_or("");
        text.parse().map(Json::Number).map_err(|_| self.fault("a value"))
    }

    fn string(&mut self) -> Result<String, String> {
        if !self.take(b'"') {
            return Err(self.fault("`\"`"));
        }
        let mut out = Vec::new();
        loop {
            let byte = *self.bytes.get(self.at).ok_or_else(|| self.fault("`\"`"))?;
            self.at += 1;
            match byte {
                b'"' => return String::from_utf8(out).map_err(|_| self.fault("UTF-8")),
                b'\\' => {
                    let c = self.escape()?;
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                byte => out.push(byte),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let byte = *self.bytes.get(self.at).ok_or_else(|| self.fault("an escape"))?;
        self.at += 1;
        Ok(match byte {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let high = self.hex4()?;
                let code = if (0xd800..0xdc00).contains(&high) && self.bytes.get(self.at) == Some(&b'\\') {
                    self.at += 2;
                    0x10000 + ((high - 0xd800) << 10) + self.hex4()?.wrapping_sub(0xdc00)
                } else {
                    high
                };
                char::from_u32(code).ok_or_else(|| self.fault("a character"))?
            }
            other => other as char,
        })
    }

    fn hex4(&mut self) -> Result<u32, String> {
        let digits =
            self.bytes.get(self.at..self.at + 4).and_then(|d| std::str::from_utf8(d).ok()).unwrap_or("");
        let code = u32::from_str_radix(digits, 16).map_err(|_| self.fault("four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_api_are_read() {
        let json = Json::parse(
            r#" {"items": [{"id": 7, "title": {"zh": "冷机\u0031"}, "latest": null}], "next": null} "#,
        );
        let json = json.unwrap();
        let item = &json.get("items").items()[0];
        assert_eq!(item.get("id"), &Json::Number(7.0));
        assert_eq!(item.get("title").get("zh").text(), Some("冷机1"));
        assert!(item.get("latest").is_null() && item.get("missing").is_null());
    }

    #[test]
    fn broken_texts_are_refused() {
        for text in ["", "{", "[1,]", "{\"a\" 1}", "nul", "\"open", "1 2", &"[".repeat(1000)] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_quoted_text_is_read_back() {
        let text = "a \"quote\", a \\ and a\nnew line 管家 😀";
        assert_eq!(Json::parse(&quote(text)).unwrap().text(), Some(text));
        assert_eq!(Json::parse("\"\\ud83d\\ude00\"").unwrap().text(), Some("😀"));
    }
}
