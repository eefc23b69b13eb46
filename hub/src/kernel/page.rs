//! Lists come in pages: `?limit=50&after=<cursor>`, answered by `{"items": [], "next": null}`. A cursor holds
//! the sort key and the id of the last row; callers treat it as one word.

use data_encoding::BASE64URL_NOPAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;

pub const LIMIT_MAX: u32 = 500;

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// How many at most; 50 unless said, 500 at most.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The cursor of the next page; null on the last one.
    #[schema(required = true)]
    pub next: Option<String>,
}

impl PageQuery {
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(50) {
            n @ 1..=LIMIT_MAX => Ok(n as usize),
            n => {
                Err(Problem::field("?limit", "out_of_range", format!("{n} is not between 1 and {LIMIT_MAX}")))
            }
        }
    }

    /// The key of the row after which to go on: what `Page::of` was given for it.
    pub fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, Problem> {
        let Some(cursor) = &self.after else { return Ok(None) };
        let wrong =
            || Problem::field("?after", "no_cursor", "this is no cursor; take `next` of the page before");
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).map_err(|_| wrong())?;
        serde_json::from_slice(&bytes).map(Some).map_err(|_| wrong())
    }
}

impl<T> Page<T> {
    /// `rows` were read with `limit + 1`: the one too many shows that there is a next page. `key` gives a row's
    /// sort key and id.
    pub fn of<K: Serialize>(mut rows: Vec<T>, limit: usize, key: impl Fn(&T) -> K) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|last| {
            let bytes = serde_json::to_vec(&key(last)).expect("a key is texts and numbers");
            BASE64URL_NOPAD.encode(&bytes)
        });
        Self { items: rows, next }
    }

    /// The same page of something else.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}
