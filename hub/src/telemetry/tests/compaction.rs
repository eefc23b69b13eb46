//! Compaction and what is forgotten.

use super::super::model::{DAY_MS, KEEP_HOURS, KEEP_RAW};
use super::plant::{Plant, count};
use crate::testing::on_each_database;

#[tokio::test]
async fn what_is_older_than_its_retention_goes_and_days_stay() {
    on_each_database(async |hub| {
        let mut plant = Plant::at(&hub).await;
        let t = hub.now().as_millis() - 3 * DAY_MS;
        plant.numbers(&hub, 1, &[(t, 1.0), (t + 10_000, 2.0)]).await;
        plant.readings.compact().await.unwrap();
        hub.clock.advance(KEEP_RAW);
        plant.readings.forget().await.unwrap();
        assert_eq!(
            (count(&hub, "raw").await, count(&hub, "hour").await, count(&hub, "day").await),
            (0, 1, 1)
        );
        hub.clock.advance(KEEP_HOURS);
        plant.readings.forget().await.unwrap();
        assert_eq!((count(&hub, "hour").await, count(&hub, "day").await), (0, 1));
    })
    .await;
}
