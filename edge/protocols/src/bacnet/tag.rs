//! Tags: what stands before every value (ASHRAE 135, clause 20.2.1). `Reader` takes them apart, the `put_` functions
//! write them; values and services are made of both. Whatever the bytes say, reading ends, never recurses, and never
//! takes more than is there.

/// Tags within tags that are followed. Nothing in the standard goes deeper than six.
const MAX_DEPTH: usize = 16;

/// Bytes that are no BACnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the bytes end too early")]
    Cut,
    #[error("another tag stands where {0} belongs")]
    Tag(u8),
    #[error("a value of {0} bytes does not fit its type")]
    Length(usize),
    #[error("an opening tag is not closed, or too many are open")]
    Nesting,
    #[error("{0} is none of the values that the standard knows here")]
    Reserved(u8),
}

/// One tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// `len` bytes follow; of a boolean, `len` is the value and nothing follows.
    Application {
        kind: u8,
        len: u32,
    },
    Context {
        number: u8,
        len: u32,
    },
    Opening(u8),
    Closing(u8),
}

/// Application tag of a boolean (clause 20.2.1.4).
pub const BOOLEAN: u8 = 1;

impl Tag {
    /// Bytes of content behind the tag.
    pub const fn content(self) -> usize {
        match self {
            Self::Application { kind: BOOLEAN, .. } | Self::Opening(_) | Self::Closing(_) => 0,
            Self::Application { len, .. } | Self::Context { len, .. } => len as usize,
        }
    }
}

/// Reads tags and their content one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Fault::Cut)?;
        self.rest = rest;
        Ok(head)
    }

    pub fn byte(&mut self) -> Result<u8, Fault> {
        let (head, rest) = self.rest.split_first().ok_or(Fault::Cut)?;
        self.rest = rest;
        Ok(*head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.take(N)?.try_into().map_err(|_| Fault::Cut)
    }

    pub fn word(&mut self) -> Result<u16, Fault> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// The next tag. It is taken; its content is not.
    pub fn tag(&mut self) -> Result<Tag, Fault> {
        let head = self.byte()?;
        let number = if head >> 4 == 15 { self.byte()? } else { head >> 4 };
        let context = head & 0x08 != 0;
        let len = match head & 0x07 {
            6 if context => return Ok(Tag::Opening(number)),
            7 if context => return Ok(Tag::Closing(number)),
            5 => match self.byte()? {
                254 => u32::from(self.word()?),
                255 => u32::from_be_bytes(self.array()?),
                len => u32::from(len),
            },
            len @ 0..=4 => u32::from(len),
            other => return Err(Fault::Reserved(other)),
        };
        Ok(if context { Tag::Context { number, len } } else { Tag::Application { kind: number, len } })
    }

    pub fn peek(&self) -> Result<Tag, Fault> {
        Reader { rest: self.rest }.tag()
    }

    /// The content of context tag `number`, which must stand here.
    pub fn context(&mut self, number: u8) -> Result<&'a [u8], Fault> {
        self.optional(number)?.ok_or(Fault::Tag(number))
    }

    /// The content of context tag `number`, if it stands here.
    pub fn optional(&mut self, number: u8) -> Result<Option<&'a [u8]>, Fault> {
        if self.is_empty() {
            return Ok(None);
        }
        match self.peek()? {
            tag @ Tag::Context { number: n, .. } if n == number => {
                self.tag()?;
                self.take(tag.content()).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The content of application tag `kind`, which must stand here.
    pub fn application(&mut self, kind: u8) -> Result<&'a [u8], Fault> {
        match self.tag()? {
            tag @ Tag::Application { kind: k, .. } if k == kind => self.take(tag.content()),
            _ => Err(Fault::Tag(kind)),
        }
    }

    pub fn opens(&self, number: u8) -> bool {
        self.peek() == Ok(Tag::Opening(number))
    }

    /// What stands between opening tag `number` and the closing tag that belongs to it.
    pub fn enclosed(&mut self, number: u8) -> Result<Reader<'a>, Fault> {
        if self.tag()? != Tag::Opening(number) {
            return Err(Fault::Tag(number));
        }
        let inside = self.rest;
        let mut open = [number; MAX_DEPTH];
        let mut depth = 1_usize;
        loop {
            let before = self.rest.len();
            match self.tag()? {
                Tag::Opening(n) => {
                    *open.get_mut(depth).ok_or(Fault::Nesting)? = n;
                    depth += 1;
                }
                Tag::Closing(n) => {
                    depth -= 1;
                    if open.get(depth) != Some(&n) {
                        return Err(Fault::Nesting);
                    }
                    if depth == 0 {
                        let content = inside.get(..inside.len() - before).ok_or(Fault::Cut)?;
                        return Ok(Reader { rest: content });
                    }
                }
                tag => {
                    self.take(tag.content())?;
                }
            }
        }
    }
}

/// An unsigned number of one to eight bytes (clause 20.2.4).
pub fn unsigned(bytes: &[u8]) -> Result<u64, Fault> {
    match bytes.len() {
        1..=8 => Ok(bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))),
        len => Err(Fault::Length(len)),
    }
}

/// The same where the standard allows 32 bits.
pub fn unsigned32(bytes: &[u8]) -> Result<u32, Fault> {
    u32::try_from(unsigned(bytes)?).map_err(|_| Fault::Length(bytes.len()))
}

/// A signed number of one to eight bytes (clause 20.2.5).
pub fn signed(bytes: &[u8]) -> Result<i64, Fault> {
    let fill = if bytes.first().is_some_and(|b| b & 0x80 != 0) { u64::MAX } else { 0 };
    match bytes.len() {
        1..=8 => Ok(bytes.iter().fold(fill, |n, b| n << 8 | u64::from(*b)) as i64),
        len => Err(Fault::Length(len)),
    }
}

/// A boolean behind a context tag.
pub fn flag(bytes: &[u8]) -> Result<bool, Fault> {
    match bytes {
        [value] => Ok(*value != 0),
        other => Err(Fault::Length(other.len())),
    }
}

fn put_tag(out: &mut Vec<u8>, number: u8, class: u8, len: usize) {
    put_head(out, number, class | if len < 5 { len as u8 } else { 5 });
    match len {
        0..5 => {}
        5..254 => out.push(len as u8),
        254..=0xFFFF => {
            out.push(254);
            out.extend((len as u16).to_be_bytes());
        }
        _ => {
            out.push(255);
            out.extend((len as u32).to_be_bytes());
        }
    }
}

pub fn put_context(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    put_tag(out, number, 0x08, content.len());
    out.extend(content);
}

pub fn put_application(out: &mut Vec<u8>, kind: u8, content: &[u8]) {
    put_tag(out, kind, 0, content.len());
    out.extend(content);
}

pub fn put_boolean(out: &mut Vec<u8>, value: bool) {
    out.push(BOOLEAN << 4 | u8::from(value));
}

pub fn put_opening(out: &mut Vec<u8>, number: u8) {
    put_head(out, number, 0x0E);
}

pub fn put_closing(out: &mut Vec<u8>, number: u8) {
    put_head(out, number, 0x0F);
}

fn put_head(out: &mut Vec<u8>, number: u8, low: u8) {
    if number < 15 {
        out.push(number << 4 | low);
    } else {
        out.extend([0xF0 | low, number]);
    }
}

pub fn put_context_unsigned(out: &mut Vec<u8>, number: u8, value: u64) {
    let bytes = value.to_be_bytes();
    put_context(out, number, shortest_unsigned(&bytes));
}

/// Without the zeros in front that carry nothing; at least one byte.
pub fn shortest_unsigned(bytes: &[u8; 8]) -> &[u8] {
    let zeros = bytes.iter().take(7).take_while(|b| **b == 0).count();
    bytes.split_at_checked(zeros).map_or(bytes, |(_, rest)| rest)
}

/// Without the bytes in front that only repeat the sign; at least one byte.
pub fn shortest_signed(bytes: &[u8; 8]) -> &[u8] {
    let mut rest: &[u8] = bytes;
    while let [first, tail @ ..] = rest
        && let [second, ..] = tail
        && (*first == 0 && second & 0x80 == 0 || *first == 0xFF && second & 0x80 != 0)
    {
        rest = tail;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_in_each_of_their_forms() {
        for len in [0_usize, 4, 5, 253, 254, 65_535, 65_536] {
            for number in [0_u8, 14, 15, 254] {
                let mut bytes = Vec::new();
                put_context(&mut bytes, number, &vec![7; len]);
                let mut reader = Reader::new(&bytes);
                assert_eq!(reader.context(number).unwrap().len(), len, "tag {number}, {len} bytes");
                assert!(reader.is_empty());
            }
        }
    }

    #[test]
    fn a_length_beyond_the_bytes_is_refused_and_takes_nothing() {
        let mut reader = Reader::new(&[0x0D, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2]);
        assert_eq!(reader.context(0), Err(Fault::Cut));
    }

    #[test]
    fn only_its_own_closing_tag_closes_a_tag() {
        let ok = [0x3E, 0x4E, 0x21, 5, 0x4F, 0x3F, 9];
        let mut reader = Reader::new(&ok);
        assert_eq!(reader.enclosed(3).unwrap().rest(), [0x4E, 0x21, 5, 0x4F]);
        assert_eq!(reader.rest(), [9]);
        assert_eq!(Reader::new(&[0x3E, 0x4E, 0x3F, 0x4F]).enclosed(3).err(), Some(Fault::Nesting));
        assert_eq!(Reader::new(&[0x3E; 40]).enclosed(3).err(), Some(Fault::Nesting));
    }

    #[test]
    fn numbers_of_more_than_eight_bytes_are_refused() {
        assert_eq!(unsigned(&[0; 9]), Err(Fault::Length(9)));
        assert_eq!(signed(&[0xFF; 9]), Err(Fault::Length(9)));
        assert_eq!(unsigned(&[]), Err(Fault::Length(0)));
        assert_eq!(unsigned(&[0xFF; 8]), Ok(u64::MAX));
        assert_eq!(signed(&[0x80]), Ok(-128));
        assert_eq!(unsigned32(&[1, 0, 0, 0, 0]), Err(Fault::Length(5)));
    }

    #[test]
    fn numbers_are_written_as_short_as_they_may_be() {
        assert_eq!(shortest_unsigned(&0_u64.to_be_bytes()), [0]);
        assert_eq!(shortest_unsigned(&256_u64.to_be_bytes()), [1, 0]);
        for (value, len) in [(0_i64, 1), (127, 1), (128, 2), (-128, 1), (-129, 2), (i64::MIN, 8)] {
            let bytes = value.to_be_bytes();
            let short = shortest_signed(&bytes);
            assert_eq!((signed(short), short.len()), (Ok(value), len));
        }
    }
}
