//! The hub as a host: its database, its fleet, its store of readings and its door, put together as `app` does it, on a
//! socket of the simulated network.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use quinn::TokioRuntime;
use steward_hub::gateways::{Ca, Fleet};
use steward_hub::kernel::ctx::Ctx;
use steward_hub::kernel::db::{DatabaseUrl, Db, migrate};
use steward_hub::kernel::settings::Settings;
use steward_hub::kernel::workers::Workers;
use steward_hub::link::Door;
use steward_hub::modules;
use steward_hub::telemetry::Readings;
use tokio_util::sync::CancellationToken;

use crate::chance::Chance;
use crate::earth::{BEGIN, Earth, PORT, Stalls, held};
use crate::network::Socket;

pub const DATABASE: &str = "hub.db";

/// Until it is crashed. One that cannot start for its database is started again, as the system does it.
pub async fn run(earth: Arc<Earth>) -> turmoil::Result {
    while let Err(e) = serve(&earth).await {
        earth.trace.tell(&format!("the hub cannot start: {e}"));
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    Ok(())
}

async fn serve(earth: &Arc<Earth>) -> turmoil::Result {
    let url = DatabaseUrl::Sqlite(earth.hub.join(DATABASE));
    let db = Db::open_with(&url, workers(earth)).await?;
    let modules = modules::all();
    let tables: Vec<_> = modules.iter().map(|m| (m.name, m.migrations)).collect();
    migrate(&db, &tables, BEGIN.0).await?;
    let ctx = Ctx::new(db, earth.hub_clock.clone(), earth.ids.clone(), Settings::default());
    let ca = Ca::open(&earth.hub, earth.hub_clock.clone(), earth.ids.clone())?;
    let fleet = Arc::new(Fleet::new(&ctx, Arc::new(ca)));
    fleet.expect_all().await?;
    let readings = Arc::new(Readings::new(&ctx, fleet.clone()));
    readings.rebuild().await?;
    if held(&earth.code).is_none() {
        let made = ctx.db.tx(async |tx| fleet.create(&tx, "plant room", None).await).await?;
        *held(&earth.code) = Some(made.1.code.to_string());
    }
    let stop = CancellationToken::new();
    tokio::spawn(readings.clone().commit_groups(stop.clone()));
    let door = Door::new(fleet, readings, earth.hub_clock.clone());
    let ports = door.listen_on(Socket::bind(PORT, &earth.air)?, Arc::new(TokioRuntime))?;
    door.serve(ports, stop).await;
    Ok(())
}

/// A statement takes a few milliseconds now and then, or seconds: a crash finds the hub between any two of them.
fn workers(earth: &Arc<Earth>) -> Workers {
    let earth = Arc::clone(earth);
    let chance = Mutex::new(Chance::of(earth.seed, 2 + earth.ids.new_uuid().as_u64_pair().0));
    Workers::none(move || {
        let mut chance = held(&chance);
        let Stalls { often, most_ms } = *held(&earth.stalls);
        let (slow, stalls) = (chance.permille(250), chance.permille(often));
        Duration::from_millis(match (stalls, slow) {
            (true, _) => chance.within(1_000..most_ms),
            (false, true) => chance.within(1..4),
            (false, false) => 0,
        })
    })
}
