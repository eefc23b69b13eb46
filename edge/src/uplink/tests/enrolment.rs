use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use super::wire::{Way, over_both_roads};
use super::*;
use crate::uplink::identity;
use crate::uplink::{EnrolError, Identity, UplinkError, enrol};

async fn enrol_at(hub: &Hub, dir: &Path, code: &str) -> Result<steward_shared::id::GatewayId, EnrolError> {
    enrol(dir, &hub.address.to_string(), code, "0.1.0", Arc::new(SystemClock)).await
}

async fn a_code_gives_an_identity_that_opens_a_session(way: Way) {
    let (hub, dir) = (Hub::over(way), tempfile::tempdir().unwrap());
    let gateway = enrol_at(&hub, dir.path(), &hub.code().to_string()).await.unwrap();
    assert_eq!(gateway, hub.gateway);
    let key = std::fs::metadata(dir.path().join("identity/key.pem")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let mut g = Gateway::start(dir.path(), &hub).await;
    g.state.wait_for(|s| s.connected).await.unwrap();
    assert_eq!(g.state.borrow().gateway, Some(gateway));
    g.stop().await;
}

async fn the_code_of_another_hub_is_refused_before_the_secret_is_said(way: Way) {
    let (hub, other, dir) = (Hub::over(way), Hub::over(way), tempfile::tempdir().unwrap());
    let e = enrol_at(&hub, dir.path(), &other.code().to_string()).await.unwrap_err();
    assert!(matches!(e, EnrolError::Uplink(UplinkError::HubNotTrusted(_))), "{e:?}");
    assert!(Identity::load(dir.path()).unwrap().is_none());
}

async fn a_used_code_says_what_to_do(way: Way) {
    let (hub, dir) = (Hub::over(way), tempfile::tempdir().unwrap());
    let mut code = hub.code();
    code.secret = [9; 10];
    let e = enrol_at(&hub, dir.path(), &code.to_string()).await.unwrap_err();
    assert!(e.to_string().contains("make a new one"), "{e}");
    let e = enrol_at(&hub, dir.path(), "STW-1").await.unwrap_err();
    assert!(matches!(e, EnrolError::Code(_)), "{e:?}");
}

async fn a_code_is_not_used_up_where_the_identity_could_not_be_kept(way: Way) {
    let (hub, dir) = (Hub::over(way), tempfile::tempdir().unwrap());
    let file = dir.path().join("data");
    std::fs::write(&file, "a file where the folder should be").unwrap();
    let e = enrol_at(&hub, &file, &hub.code().to_string()).await.unwrap_err();
    assert!(e.to_string().contains("cannot be read or written"), "{e}");
    assert_eq!(hub.seen().enrolments, 0);
}

#[tokio::test]
async fn an_identity_that_root_makes_belongs_to_the_owner_of_the_data_folder() {
    let (hub, dir) = (Hub::start(), tempfile::tempdir().unwrap());
    let is_root = dir.path().metadata().unwrap().uid() == 0;
    assert!(is_root, "only root can try this: sudo -E cargo test -p steward-edge --lib uplink");
    // The program's user: systemd gives it a number of its own (DynamicUser).
    chown(dir.path(), Some(61_234), Some(61_235)).unwrap();
    enrol_at(&hub, dir.path(), &hub.code().to_string()).await.unwrap();
    // And once more, in the place of the former one.
    enrol_at(&hub, dir.path(), &hub.code().to_string()).await.unwrap();
    let folder = dir.path().join("identity");
    let mut owners = vec![folder.metadata().unwrap()];
    owners.extend(std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().metadata().unwrap()));
    assert_eq!(owners.len(), 5);
    assert!(owners.iter().all(|m| (m.uid(), m.gid()) == (61_234, 61_235)), "{owners:?}");
    assert_eq!(owners[0].permissions().mode() & 0o777, 0o700);
}

async fn a_gateway_that_is_enrolled_while_it_runs_connects_by_itself(way: Way) {
    let (hub, dir) = (Hub::over(way), tempfile::tempdir().unwrap());
    let mut g = Gateway::start(dir.path(), &hub).await;
    g.state.wait_for(|s| s.last_error.as_ref().is_some_and(|e| e.contains("not enrolled"))).await.unwrap();
    g.batch(0).await;
    enrol_at(&hub, dir.path(), &hub.code().to_string()).await.unwrap();
    eventually("what was polled before arrives", || mark(&hub, Lane::Live) == 1).await;
    g.stop().await;
}

/// By this a gateway that waits for its next try sees that somebody has typed a code meanwhile.
#[tokio::test]
async fn each_enrolment_leaves_another_mark() {
    let (hub, dir) = (Hub::start(), tempfile::tempdir().unwrap());
    let mut marks = vec![identity::mark(dir.path())];
    for _ in 0..2 {
        enrol_at(&hub, dir.path(), &hub.code().to_string()).await.unwrap();
        marks.push(identity::mark(dir.path()));
        assert_eq!(identity::mark(dir.path()), marks[marks.len() - 1]);
    }
    assert!(marks[0].is_none() && marks[1] != marks[0] && marks[2] != marks[1], "{marks:?}");
}

async fn an_old_certificate_renews_itself_and_the_next_session_uses_it(way: Way) {
    let (hub, dir) = (Hub::over(way), tempfile::tempdir().unwrap());
    let old = hub.identity(-25, 5);
    old.save(dir.path()).unwrap();
    let mut g = Gateway::start(dir.path(), &hub).await;
    let renewed = || Identity::load(dir.path()).unwrap().is_some_and(|i| i.expires > old.expires);
    eventually("the renewed certificate is on disk", renewed).await;
    assert_eq!(hub.seen().renewals, 1);
    g.state.wait_for(|s| s.certificate_expires > Some(old.expires)).await.unwrap();
    hub.hang_up();
    eventually("the next session", || hub.seen().hellos.len() == 2).await;
    let renewed = Identity::load(dir.path()).unwrap().unwrap();
    assert_eq!(hub.seen().certificates, [old.certificate.clone(), renewed.certificate]);
    g.stop().await;
}

#[test]
fn a_change_of_identity_that_the_power_cut_short_is_finished() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    let (hub, dir) = (Hub::start(), tempfile::tempdir().unwrap());
    hub.identity(-1, 30).save(dir.path()).unwrap();
    // Between the two renames: the old one is aside, the new one not yet in its place.
    std::fs::rename(dir.path().join("identity"), dir.path().join("identity.next")).unwrap();
    assert_eq!(Identity::load(dir.path()).unwrap().unwrap().gateway, hub.gateway);
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    let (hub, dir) = (Hub::start(), tempfile::tempdir().unwrap());
    hub.identity(-1, 30).save(dir.path()).unwrap();
    let key = dir.path().join("identity/key.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(Identity::load(dir.path()).unwrap_err().to_string().contains("chmod 600"));
}

over_both_roads!(
    a_code_gives_an_identity_that_opens_a_session,
    the_code_of_another_hub_is_refused_before_the_secret_is_said,
    a_used_code_says_what_to_do,
    a_code_is_not_used_up_where_the_identity_could_not_be_kept,
    a_gateway_that_is_enrolled_while_it_runs_connects_by_itself,
    an_old_certificate_renews_itself_and_the_next_session_uses_it,
);
