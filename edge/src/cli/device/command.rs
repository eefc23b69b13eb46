//! `steward-edge write` for a device on a BACnet network: WriteProperty at a priority. What stands there is read before, the
//! slot is read back, and what is for a while comes back by giving the slot up, or with what stood in it before.

use serde_json::json;
use steward_protocols::bacnet::apdu::Apdu;
use steward_protocols::bacnet::client::{Peer, Settings};
use steward_protocols::bacnet::{ObjectId, Priority, Value as Wire};
use steward_shared::profile::PointDef;
use steward_shared::reading::Value;
use steward_shared::time::{Clock, SystemClock};

use super::super::out::Out;
use super::super::text::write as text;
use super::network::{Net, unanswered};
use super::place::Place;
use super::shown;
use super::words::WriteWords;
use super::write::{allowed, confirm, meant, note, user, wait, way_back};
use crate::config::WireConfig;
use crate::hold::{HeldCommand, Hold, HoldError, Kept, Slot, commanding, is_same, shown as as_shown};

/// What a person commands by hand (clause 19.2: 8, manual operator).
const BY_HAND: u8 = 8;

pub async fn command(place: &Place, words: &WriteWords, out: Out) -> Result<(), String> {
    let device = place.device();
    let Some(point) = place.point.and_then(|p| device.profile.points.get(p)) else {
        return Err(text::name_a_point(out.lang));
    };
    let name = format!("{}/{}", device.name, point.key);
    if words.back {
        return Ok(());
    }
    let Some(writable) = point.write else { return Err(text::not_commandable(out.lang, &name)) };
    let wanted = match (&words.value, words.relinquish) {
        (Some(given), _) => {
            let value = meant(point, given, out)?;
            allowed(point, writable, &value, &name, out)?;
            Some(value)
        }
        (None, true) => None,
        (None, false) => return Err(text::name_a_value(out.lang)),
    };
    let priority = Priority::new(words.priority.unwrap_or(BY_HAND));
    let priority = priority.ok_or_else(|| text::no_priority(out.lang))?;
    let job = Job { place, point, name, priority, wanted };
    let old = job.look(out).await?;
    job.plan(&old, out);
    if let Some(expected) = &words.expect {
        let expected = meant(point, expected, out)?;
        if !is_same(old.present, expected.as_number()) {
            let (now, expected) = (job.shown(old.present, out), shown::value(point, &expected, out.lang));
            return Err(text::not_expected(out.lang, &job.name, &now, &expected));
        }
    }
    if words.dry_run {
        job.dry_run(&old, out);
        return Ok(());
    }
    confirm(words, out)?;
    let kept = match words.for_ {
        Some(time) => Some(job.keep(&old, time, out)?),
        None => None,
    };
    let written = job.put(&old, out).await;
    if written.is_err() {
        // Whatever stands there now, nothing was promised: what was there before comes back.
        if let Some(kept) = kept {
            way_back(place, kept, out).await?;
        }
        return written;
    }
    let Some(kept) = kept else { return Ok(()) };
    out.aside(text::held(out.lang, &job.name, &kept.hold.until.to_string()));
    wait(words.for_.unwrap_or_default()).await?;
    way_back(place, kept, out).await
}

/// What is commanded where; none gives it up.
struct Job<'p> {
    place: &'p Place,
    point: &'p PointDef,
    name: String,
    priority: Priority,
    wanted: Option<Value>,
}

/// What stood there, as the point shows it.
struct Old {
    present: Option<f64>,
    /// In the slot; none where nothing is commanded there.
    slot: Option<f64>,
    has_array: bool,
    /// What would be sent.
    apdu: Vec<u8>,
}

impl Job<'_> {
    async fn open(&self, out: Out) -> Result<(Net, Peer), String> {
        let net = Net::by_file(&self.place.config, self.place.line(), out).await?;
        match net.find(self.place.device(), out).await {
            Ok(peer) => Ok((net, peer)),
            Err(why) => {
                net.close().await;
                Err(why)
            }
        }
    }

    /// The longest message that we say we take on this data link.
    fn takes(&self) -> u16 {
        match self.place.line().wire {
            WireConfig::Mstp(_) => Settings::mstp().max_apdu,
            _ => Settings::default().max_apdu,
        }
    }

    fn object(&self) -> ObjectId {
        let place = self.point.bacnet();
        place.map_or(ObjectId::device(0), |place| ObjectId::new(place.object, place.instance))
    }

    fn command(&self) -> Option<Wire> {
        commanding(self.point, self.wanted.as_ref()?.as_number()?)
    }

    /// Asks on a network that is given back at once: a person may think for long.
    async fn look(&self, out: Out) -> Result<Old, String> {
        let (net, peer) = self.open(out).await?;
        let old = self.look_at(&net, peer, out).await;
        net.close().await;
        old
    }

    async fn look_at(&self, net: &Net, peer: Peer, out: Out) -> Result<Old, String> {
        let slot = Slot::find(net.network(), peer, self.object(), self.priority).await;
        let slot = slot.map_err(|e| unanswered(&e, out))?;
        if slot.priority.is_none() && self.wanted.is_none() {
            return Err(text::nothing_to_give_up(out.lang, &self.name));
        }
        let number = |value: &Wire| as_shown(self.point, value);
        let present = slot.present().await.map_err(|e| unanswered(&e, out))?;
        let content = slot.content().await.map_err(|e| unanswered(&e, out))?;
        let (service, data) = slot.request(self.command()).wire();
        let takes = self.takes();
        let apdu = Apdu::Confirmed { invoke: 1, segment: None, takes, service, data: &data }.encode();
        Ok(Old {
            present: number(&present),
            slot: content.as_ref().and_then(number),
            has_array: slot.priority.is_some(),
            apdu,
        })
    }

    fn shown(&self, number: Option<f64>, out: Out) -> String {
        number.map_or_else(
            || text::nothing_commanded(out.lang),
            |number| shown::value(self.point, &Value::Number(number), out.lang),
        )
    }

    fn plan(&self, old: &Old, out: Out) {
        let now = self.shown(old.present, out);
        let new = self.shown(self.wanted.as_ref().and_then(Value::as_number), out);
        if old.has_array {
            let slot = self.shown(old.slot, out);
            out.text(text::plan_at(out.lang, &self.name, &now, self.priority.number(), &slot, &new));
        } else {
            out.text(text::plan(out.lang, &self.name, &now, &new));
        }
    }

    /// Shows the APDU that would be sent.
    fn dry_run(&self, old: &Old, out: Out) {
        let hex = old.apdu.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(" ");
        out.text(text::would_send_apdu(out.lang, &hex));
        out.value(&json!({
            "point": self.name,
            "priority": old.has_array.then(|| self.priority.number()),
            "apdu": hex,
            "written": false,
        }));
    }

    fn keep(&self, old: &Old, time: std::time::Duration, out: Out) -> Result<Kept, String> {
        let hold = Hold {
            device: self.place.device().name.clone(),
            point: self.point.key.clone(),
            before: Vec::new(),
            written: Vec::new(),
            command: Some(HeldCommand {
                priority: self.priority.number(),
                before: old.slot,
                written: self.wanted.as_ref().and_then(Value::as_number),
            }),
            until: SystemClock.now().plus(time),
            by: user(),
        };
        Kept::begin(&self.place.config.data, hold).map_err(|e| match e {
            HoldError::Held(first) => {
                text::held_already(out.lang, &self.name, &first.by, &first.until.to_string())
            }
            HoldError::File(path, e) => text::no_hold(out.lang, &path, &e.to_string()),
        })
    }

    /// Looks once more, commands, reads back.
    async fn put(&self, old: &Old, out: Out) -> Result<(), String> {
        let (net, peer) = self.open(out).await?;
        let done = self.put_at(&net, peer, old, out).await;
        net.close().await;
        let value = self.wanted.as_ref().and_then(Value::as_number);
        let before = self.shown(old.slot, out);
        note(&self.place.config.data, &self.name, &before, value, done.is_ok());
        let present = done?;
        let commanded = self.shown(value, out);
        if is_same(present, value) {
            out.text(text::written(out.lang, &self.name, &commanded));
        } else {
            let (now, priority) = (self.shown(present, out), self.priority.number());
            out.text(text::commanded_but(out.lang, &self.name, &commanded, priority, &now));
        }
        out.value(&json!({
            "point": self.name,
            "priority": old.has_array.then(|| self.priority.number()),
            "before": old.slot,
            "value": value,
            "present": present,
            "written": true,
        }));
        Ok(())
    }

    /// What is present afterwards.
    async fn put_at(&self, net: &Net, peer: Peer, old: &Old, out: Out) -> Result<Option<f64>, String> {
        let slot = Slot::find(net.network(), peer, self.object(), self.priority).await;
        let slot = slot.map_err(|e| unanswered(&e, out))?;
        let content = || async {
            let content = slot.content().await.map_err(|e| unanswered(&e, out))?;
            Ok::<_, String>(content.and_then(|value| as_shown(self.point, &value)))
        };
        let now = content().await?;
        // Without an array it is the present value, which moves by itself where nobody commands it.
        if old.has_array && !is_same(now, old.slot) {
            return Err(text::changed_meanwhile(out.lang, &self.name, &self.shown(now, out)));
        }
        let sent = slot.put(self.command()).await;
        let after = content().await;
        let wanted = self.wanted.as_ref().and_then(Value::as_number);
        match (sent, after) {
            (_, Ok(after)) if is_same(after, wanted) => {
                let present = slot.present().await.map_err(|e| unanswered(&e, out))?;
                Ok(as_shown(self.point, &present))
            }
            (Ok(()), Ok(after)) => Err(text::not_kept(out.lang, &self.name, &self.shown(after, out))),
            (Ok(()), Err(why)) => Err(text::not_seen(out.lang, &self.name, &why)),
            (Err(why), _) => Err(text::not_taken(out.lang, &self.name, &unanswered(&why, out))),
        }
    }
}
