//! Bodies of readings as every version has written them since the first: a gateway that was not updated for long is
//! understood all the same.

use std::collections::BTreeSet;
use std::path::Path;

use steward_shared::id::{BufferId, PointNo, RandomIds};
use steward_shared::time::Timestamp;
use steward_shared::wire::columns::Body;
use steward_shared::wire::message::{ControlUp, Lane, LaneDown, PointKind};

use super::edge::{Hub, catalogue_of, point, say};
use crate::kernel::db::testing::fresh_databases;
use crate::telemetry::Sample;
use crate::testing::eventually;

#[path = "../../../../shared/tests/golden/content.rs"]
mod content;

/// All that there are, so that none is forgotten when there are more.
fn bodies() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/golden");
    let files = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path());
    let columns = files.filter(|f| f.extension().is_some_and(|e| e == "cbor"));
    columns.map(|f| (f.file_name().unwrap().display().to_string(), std::fs::read(&f).unwrap())).collect()
}

#[tokio::test]
async fn fault_y12_batches_as_all_versions_have_written_them_are_stored_and_read_as_what_they_say() {
    let Body { readings, .. } = content::content();
    let numbers: BTreeSet<PointNo> = readings.iter().map(|r| r.point).collect();
    let bodies = bodies();
    assert!(bodies.len() >= 2, "schema 1 has two");
    for test in fresh_databases().await {
        let hub = Hub::on(&test).await;
        for (name, body) in &bodies {
            let papers = hub.enrolled(name).await;
            let mut session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
            let points = numbers.iter().map(|no| point(no.0, &no.0.to_string(), PointKind::Gauge));
            let catalogue = catalogue_of(points.collect());
            say(&mut session.send, &ControlUp::Catalogue(catalogue)).await;
            eventually("the catalogue is stored", async || {
                hub.fleet.points_of(papers.gateway).await.unwrap().iter().any(|p| p.key == "7")
            })
            .await;
            let batch = (readings.len() as u32, body.clone());
            assert_eq!(session.lane(Lane::Backfill).await.ask(1, batch).await, LaneDown::Ack(1), "{name}");
            for no in &numbers {
                let point = hub.point(papers.gateway, &no.0.to_string()).await;
                let (from, to) = (Timestamp(1_759_000_000_000), Timestamp(1_761_000_000_000));
                let sample = |r: &steward_shared::reading::Reading| Sample {
                    at: r.at,
                    value: r.value.clone(),
                    quality: r.quality,
                };
                let wanted: Vec<_> = readings.iter().filter(|r| r.point == *no).map(sample).collect();
                assert_eq!(hub.readings.samples(&point, from, to).await.unwrap(), wanted, "{name} {no:?}");
            }
        }
    }
}
