//! The one-time code that a person carries from the hub's page to a new gateway: ten secret bytes, and the
//! beginning of the SHA-256 of the hub's CA certificate, by which the gateway knows the hub before it says
//! the secret. The secret never shows in logs: `Debug` hides it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// Bytes of the secret part: 80 bits, far beyond guessing within the minutes that a code lives.
pub const SECRET: usize = 10;
/// Bytes of the CA's fingerprint: nobody can make a second CA that fits (2^128 work).
pub const FINGERPRINT: usize = 16;

const PREFIX: &str = "STW";
/// Crockford's base 32: without I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const BITS: usize = (SECRET + FINGERPRINT) * 8;
const SYMBOLS: usize = BITS.div_ceil(5);
const GROUP: usize = 6;

/// Printed as `STW-` and seven groups of six symbols; read back in any case, with or without dashes and spaces.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    pub secret: [u8; SECRET],
    pub ca: [u8; FINGERPRINT],
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CodeError {
    #[error("an enrolment code begins with STW-; copy it whole from the hub's page")]
    Prefix,
    #[error(
        "an enrolment code has {SYMBOLS} symbols after STW, this one has {0}; copy it whole from the hub's page"
    )]
    Length(usize),
    #[error("{0:?} does not occur in enrolment codes; copy the code again from the hub's page")]
    Symbol(char),
    #[error("the last symbol of the enrolment code cannot be right; copy it again from the hub's page")]
    Padding,
}

impl Code {
    /// The part of a CA certificate (DER) that a code carries.
    pub fn fingerprint(ca_certificate: &[u8]) -> [u8; FINGERPRINT] {
        let mut out = [0; FINGERPRINT];
        for (o, b) in out.iter_mut().zip(Sha256::digest(ca_certificate)) {
            *o = b;
        }
        out
    }

    /// Whether this certificate (DER) is the CA that the code was made by.
    pub fn names_ca(&self, ca_certificate: &[u8]) -> bool {
        Self::fingerprint(ca_certificate) == self.ca
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        let (mut held, mut bits, mut written) = (0_u32, 0_u32, 0);
        let mut symbol = |f: &mut fmt::Formatter<'_>, index: u32| {
            if written % GROUP == 0 {
                f.write_str("-")?;
            }
            written += 1;
            write!(f, "{}", char::from(ALPHABET[index as usize & 31]))
        };
        for byte in self.secret.iter().chain(&self.ca) {
            held = (held << 8) | u32::from(*byte);
            bits += 8;
            while bits >= 5 {
                bits -= 5;
                symbol(f, held >> bits)?;
            }
            held &= (1 << bits) - 1;
        }
        if bits > 0 {
            symbol(f, held << (5 - bits))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(secret)")
    }
}

impl FromStr for Code {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        let symbols: Vec<char> = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| c.to_ascii_uppercase())
            .take(256)
            .collect();
        let rest = symbols.strip_prefix(&['S', 'T', 'W']).ok_or(CodeError::Prefix)?;
        if rest.len() != SYMBOLS {
            return Err(CodeError::Length(rest.len()));
        }
        let mut bytes = Vec::with_capacity(SECRET + FINGERPRINT);
        let (mut held, mut bits) = (0_u32, 0_u32);
        for c in rest {
            held = (held << 5) | index(*c).ok_or(CodeError::Symbol(*c))?;
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                bytes.push((held >> bits) as u8);
                held &= (1 << bits) - 1;
            }
        }
        if held != 0 {
            return Err(CodeError::Padding);
        }
        let (secret, ca) = bytes.split_at_checked(SECRET).ok_or(CodeError::Length(rest.len()))?;
        Ok(Self {
            secret: secret.try_into().map_err(|_| CodeError::Padding)?,
            ca: ca.try_into().map_err(|_| CodeError::Padding)?,
        })
    }
}

/// Crockford reads O as 0, and I and L as 1.
fn index(c: char) -> Option<u32> {
    let c = match c {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    };
    ALPHABET.iter().position(|a| char::from(*a) == c).map(|i| i as u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_code_reads_back_however_it_is_typed(secret: [u8; SECRET], ca: [u8; FINGERPRINT]) {
            let code = Code { secret, ca };
            let text = code.to_string();
            prop_assert_eq!(text.len(), 3 + 7 * 7);
            prop_assert_eq!(&text.parse::<Code>().unwrap(), &code);
            let typed = text.replace('-', " ").to_lowercase().replace('0', "o").replace('1', "l");
            prop_assert_eq!(&typed.parse::<Code>().unwrap(), &code);
        }

        #[test]
        fn any_text_is_a_code_or_a_reason(text in ".{0,80}") {
            let _ = text.parse::<Code>();
        }
    }

    #[test]
    fn a_code_cut_short_says_what_to_do() {
        assert_eq!("STW-123".parse::<Code>(), Err(CodeError::Length(3)));
        assert_eq!("hello".parse::<Code>(), Err(CodeError::Prefix));
        let u = Code { secret: [0; 10], ca: [0; 16] }.to_string().replacen('0', "U", 1);
        assert_eq!(u.parse::<Code>(), Err(CodeError::Symbol('U')));
        assert!(CodeError::Length(3).to_string().contains("copy it whole"));
    }

    #[test]
    fn a_code_names_its_ca_and_no_other_and_hides_its_secret() {
        let code = Code { secret: [7; 10], ca: Code::fingerprint(b"certificate") };
        assert!(code.names_ca(b"certificate"));
        assert!(!code.names_ca(b"another"));
        assert_eq!(format!("{code:?}"), "Code(secret)");
    }
}
