//! What a place is and what may stand in what.
//!
//! | kind | stands in |
//! |---|---|
//! | campus | nothing |
//! | building | a campus, or nothing |
//! | floor | a building |
//! | room | a floor, or a building |

use serde::{Deserialize, Serialize};
use steward_shared::id::SiteId;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Campus,
    Building,
    Floor,
    Room,
}

impl Kind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Campus => "campus",
            Self::Building => "building",
            Self::Floor => "floor",
            Self::Room => "room",
        }
    }

    /// Whether a place of this kind may stand in `parent` (none: at the top). Kinds only go down, so that no
    /// place can stand in itself.
    pub const fn may_stand_in(self, parent: Option<Self>) -> bool {
        matches!(
            (self, parent),
            (Self::Campus | Self::Building, None)
                | (Self::Building, Some(Self::Campus))
                | (Self::Floor | Self::Room, Some(Self::Building))
                | (Self::Room, Some(Self::Floor))
        )
    }
}

/// A place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    pub id: SiteId,
    pub parent: Option<SiteId>,
    pub kind: Kind,
    pub name: String,
    /// The house's own short name; empty where there is none.
    pub code: String,
    /// The hash of its picture or drawing.
    pub plan: Option<String>,
    pub version: i64,
}

/// Why something about a place is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    #[error("there is no such place")]
    NoSuchSite,
    #[error("there is no such place to stand in")]
    NoSuchParent,
    #[error(
        "a {0} cannot stand there; a campus stands alone, a building in a campus or alone, a floor in a building, a room in a floor or a building"
    )]
    WrongParent(&'static str),
    #[error("there is a place of this name there already; take another name")]
    NameTaken,
    #[error("another place has this code already; take another code")]
    CodeTaken,
    #[error("there are places, gateways or devices in it; move or remove them first")]
    NotEmpty,
    #[error("somebody else changed this place in the meantime; load it again")]
    Stale,
    #[error("there is no plan of this place; upload one first")]
    NoPlan,
    #[error("take 1 to 100 characters, and none that cannot be seen")]
    BadName,
    #[error("take at most 100 characters, and none that cannot be seen")]
    BadCode,
}

pub fn check_name(name: &str) -> Result<(), Refusal> {
    let fits = (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(Refusal::BadName) }
}

pub fn check_code(code: &str) -> Result<(), Refusal> {
    let fits = code.chars().count() <= 100 && !code.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(Refusal::BadCode) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_stands_only_where_its_kind_may() {
        use Kind::{Building, Campus, Floor, Room};
        let may: Vec<(Kind, Option<Kind>)> = [Campus, Building, Floor, Room]
            .into_iter()
            .flat_map(|k| [None, Some(Campus), Some(Building), Some(Floor), Some(Room)].map(|p| (k, p)))
            .filter(|(k, p)| k.may_stand_in(*p))
            .collect();
        assert_eq!(
            may,
            [
                (Campus, None),
                (Building, None),
                (Building, Some(Campus)),
                (Floor, Some(Building)),
                (Room, Some(Building)),
                (Room, Some(Floor))
            ]
        );
    }
}
