//! Device profiles, as anybody may write them: what is read must be able to be tried, planned and used.

use std::time::Duration;

use steward_protocols::cost::Cost;
use steward_protocols::question::questions;
use steward_protocols::sample::verify_samples;
use steward_shared::document::listing;
use steward_shared::profile::Profile;

use crate::input::assert_sound;

pub fn profile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let profile = match Profile::parse("acme/m1.toml", text) {
        Ok(profile) => profile,
        Err(faults) => {
            assert!(!listing(&faults).is_empty(), "refused, and nobody says why");
            return;
        }
    };
    for fault in verify_samples(&profile) {
        assert!(!fault.to_string().is_empty());
    }
    let cost = Cost::tcp(Duration::from_millis(5));
    for question in questions(&profile, 0..profile.points.len(), &cost, &[]) {
        for contents in [[].as_slice(), &[0xFF; 40], &[0; 600]] {
            let values = question.values(&profile.points, contents);
            assert_sound(&values);
        }
        let _ = question.split(&profile.points);
        let words = question.words();
        assert!(steward_protocols::question::Question::of(&profile, &words).is_some(), "{words}");
    }
}

/// One of each language, and the handbook's.
pub fn seeds() -> Vec<Vec<u8>> {
    [
        include_str!("../../../../device-profiles/eastron/sdm120.toml"),
        include_str!("../../../../device-profiles/apc/smart-ups.toml"),
        include_str!("../../../../device-profiles/dlt645/single-phase.toml"),
        include_str!("../../../../device-profiles/cjt188/water-901f.toml"),
        include_str!("../../../../device-profiles/kamstrup/multical-601.toml"),
        include_str!("../../../../device-profiles/landis-gyr/e350.toml"),
        include_str!("../../../../device-profiles/flexit/nordic.toml"),
        SMALL,
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

const SMALL: &str = "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = { zh = \"表\", en = \"Meter\" }\nsource = [\"here\"]\n\
[modbus]\nmax_gap = 4\n\
[[point]]\nkey = \"p\"\ntitle = { zh = \"点\", en = \"Point\" }\ntable = \"holding\"\naddress = 0\ntype = \"f32\"\n\
order = \"CDAB\"\nunit = \"kW\"\nscale = 0.1\nsentinels = [0xFFFF]\n\
[[frame]]\nsource = \"here\"\nrequest = \"01 03 00 00 00 02 C4 0B\"\nresponse = \"01 03 04 00 00 00 00 FA 33\"\n";
