//! A link between gateway and hub that can be cut, and what an alarm does meanwhile.

use tokio::time::{Instant, sleep};

use super::relay::Link;
use super::sessions::enrolled;
use super::*;

#[tokio::test]
async fn fault_n1_an_alarm_raised_while_the_link_is_down_is_there_soon_after_it_is_up() {
    let hub = Hub::start();
    let dir = enrolled(&hub);
    let link = Link::to(hub.address).await;
    let mut g = Gateway::start_by(dir.path(), link.address).await;
    g.state.wait_for(|s| s.connected).await.unwrap();
    link.cut(true);
    g.event(EventKind::DeviceSilent, Some("chiller")).await;
    // The break itself, not a wait for something to become true.
    sleep(Duration::from_secs(10)).await;
    assert_eq!(mark(&hub, Lane::Alarm), 0);
    link.cut(false);
    let healed = Instant::now();
    eventually("the alarm is at the hub", || mark(&hub, Lane::Alarm) == 1).await;
    println!("the alarm was at the hub {:?} after the link was back", healed.elapsed());
    assert!(healed.elapsed() < Duration::from_secs(5), "{:?}", healed.elapsed());
    assert_eq!(hub.seen().stored.len(), 1, "once");
    assert_eq!(hub.seen().handshakes, 1, "in the same session");
    g.stop().await;
}

#[tokio::test]
async fn fault_n5_a_link_that_flaps_for_half_a_minute_costs_no_new_handshake() {
    let hub = Hub::start();
    let dir = enrolled(&hub);
    let link = Link::to(hub.address).await;
    let mut g = Gateway::start_by(dir.path(), link.address).await;
    g.state.wait_for(|s| s.connected).await.unwrap();
    for i in 0..5 {
        link.cut(true);
        g.batch(i).await;
        sleep(Duration::from_secs(3)).await;
        link.cut(false);
        sleep(Duration::from_secs(3)).await;
    }
    eventually("all is at the hub", || mark(&hub, Lane::Live) == 5).await;
    assert_eq!(hub.seen().handshakes, 1);
    g.stop().await;
}
