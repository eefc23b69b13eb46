//! People and the rules about them; nothing here reads a database or a clock.
//!
//! | role | may |
//! |---|---|
//! | viewer | see everything but accounts and the audit trail |
//! | engineer | also change plants: sites, gateways |
//! | admin | also accounts and the audit trail |
//!
//! Whether somebody may command devices is a permission of its own: an administrator gives it, and an engineer does not
//! have it by the role.

use serde::{Deserialize, Serialize};
use steward_shared::id::UserId;
use steward_shared::time::Timestamp;

use super::common;
use crate::kernel::caller::Role;

/// A person who may log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    /// What they log in with.
    #[serde(rename(deserialize = "login"))]
    pub user: String,
    /// What they are called.
    pub name: String,
    pub role: Role,
    /// `zh` or `en`.
    pub locale: String,
    pub disabled: bool,
    /// May command devices. Nobody has it from the start.
    pub commands: bool,
    pub version: i64,
    pub created_at: Timestamp,
}

pub const LOCALES: [&str; 2] = ["zh", "en"];
pub const PASSWORD_MIN: usize = 12;
/// argon2 takes longer for longer ones; nobody types more.
pub const PASSWORD_MAX: usize = 256;

/// Why something about an account is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    #[error("the user or the password is wrong; mind capital letters and the keyboard's language")]
    WrongPassword,
    #[error("too many wrong passwords; wait {0} s, or let an administrator set a new password")]
    Locked(u64),
    #[error("the first administrator exists already; log in")]
    AlreadySetUp,
    #[error("there is a user of this name already; take another name")]
    NameTaken,
    #[error("this is the last administrator who can log in; make another one first")]
    LastAdmin,
    #[error("{detail}")]
    Field { pointer: &'static str, code: &'static str, detail: String },
    #[error("somebody else changed this user in the meantime; load it again")]
    Stale,
    #[error("there is no such user")]
    NoSuchUser,
    #[error("too many people log in at this moment; try again")]
    Busy,
}

impl Refusal {
    fn field(pointer: &'static str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Field { pointer, code, detail: detail.into() }
    }
}

/// How a login is compared: "Li" and " li" are one person. No name has a control character; one in what somebody
/// typed becomes a character that stands in no name either, but can be kept and counted.
pub fn login_key(login: &str) -> String {
    visible(login.trim()).to_lowercase()
}

/// Without control characters.
pub fn visible(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

pub fn check_login(login: &str) -> Result<(), Refusal> {
    let fits = login.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@'));
    match login.chars().count() {
        1..=64 if fits => Ok(()),
        _ => Err(Refusal::field(
            "/user",
            "bad_name",
            "take 1 to 64 letters, digits and . - _ @ without spaces",
        )),
    }
}

pub fn check_name(name: &str) -> Result<(), Refusal> {
    let fits = (1..=100).contains(&name.trim().chars().count()) && !name.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(Refusal::field("/name", "bad_length", "take 1 to 100 characters")) }
}

pub fn check_locale(locale: &str) -> Result<(), Refusal> {
    if LOCALES.contains(&locale) {
        Ok(())
    } else {
        Err(Refusal::field("/locale", "unknown", "write zh or en"))
    }
}

/// Length counts, not classes of characters (OWASP ASVS 5.0, 6.2); what everybody tries first is refused.
pub fn check_password(pointer: &'static str, password: &str, login: &str) -> Result<(), Refusal> {
    let count = password.chars().count();
    if count < PASSWORD_MIN {
        let detail = format!("take at least {PASSWORD_MIN} characters; several words are easy to remember");
        return Err(Refusal::field(pointer, "too_short", detail));
    }
    if count > PASSWORD_MAX {
        return Err(Refusal::field(pointer, "too_long", format!("take at most {PASSWORD_MAX} characters")));
    }
    if common::is_common(password) || password.to_lowercase().contains(&login_key(login)) && login.len() > 3 {
        return Err(Refusal::field(
            pointer,
            "too_common",
            "this is one of the first that others try; take another",
        ));
    }
    Ok(())
}

/// Lockout: so many failures within the window lock for the span.
pub const FAILURES: i64 = 5;
pub const WINDOW_MS: i64 = 15 * 60_000;
pub const LOCK_MS: i64 = 30 * 60_000;

/// The failures of one account or address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Failures {
    #[serde(rename = "failures")]
    pub count: i64,
    pub since: i64,
    pub locked_until: i64,
}

impl Failures {
    /// One more failure.
    #[must_use]
    pub fn and_one_at(self, now: i64) -> Self {
        let mut next =
            if now - self.since > WINDOW_MS { Self { since: now, count: 0, ..self } } else { self };
        next.count += 1;
        if next.count >= FAILURES {
            next = Self { count: 0, since: now, locked_until: now + LOCK_MS };
        }
        next
    }

    /// Seconds until it is open again.
    pub fn locked_for(self, now: i64) -> Option<u64> {
        u64::try_from(self.locked_until - now).ok().filter(|ms| *ms > 0).map(|ms| ms.div_ceil(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_3_a_password_is_long_and_not_what_everybody_tries() {
        for (password, code) in [
            ("short", Some("too_short")),
            ("password1234", Some("too_common")),
            ("aaaaaaaaaaaaaaaa", Some("too_common")),
            ("123456789012", Some("too_common")),
            ("operator-is-mine", Some("too_common")),
            ("pumpe-und-kessel-7", None),
            ("冷冻机房的水泵今天很安静啊", None),
        ] {
            let refused = check_password("/password", password, "operator").err();
            match (code, refused) {
                (Some(code), Some(Refusal::Field { code: given, .. })) => {
                    assert_eq!(given, code, "{password}");
                }
                (None, None) => {}
                (code, refused) => panic!("{password}: {code:?} {refused:?}"),
            }
        }
    }

    #[test]
    fn control_4_five_failures_in_the_window_lock_and_slow_ones_do_not() {
        let mut f = Failures::default();
        for i in 0..4 {
            f = f.and_one_at(1_000_000 + i);
            assert_eq!(f.locked_for(1_000_000 + i), None);
        }
        f = f.and_one_at(1_000_004);
        assert_eq!(f.locked_for(1_000_004), Some(1800));
        assert_eq!(f.locked_for(1_000_004 + LOCK_MS), None);
        let mut slow = Failures::default();
        for i in 1..20 {
            slow = slow.and_one_at(i * (WINDOW_MS / 3));
            assert_eq!(slow.locked_for(i * (WINDOW_MS / 3)), None);
        }
    }
}
