//! Bodies of readings that other code wrote, and the first that this version wrote: both must read for as long as
//! schema 1 is supported. `golden/columns.py` makes the one and checks the other with cbor2 and pcodec from
//! PyPI; `examples/golden_body.rs` writes the other.

use steward_shared::wire::columns::decode;

#[path = "golden/content.rs"]
mod content;

use content::content;

const PYTHON: &[u8] = include_bytes!("golden/columns_1_python.cbor");
const STEWARD: &[u8] = include_bytes!("golden/columns_1_steward.cbor");

#[test]
fn a_body_made_by_cbor2_and_pcodec_reads_as_what_it_says() {
    assert_eq!(decode(PYTHON).unwrap(), content());
}

#[test]
fn the_first_body_of_schema_1_still_reads() {
    assert_eq!(decode(STEWARD).unwrap(), content());
}
