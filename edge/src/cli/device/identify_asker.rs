//! Asks a device of registers for `identify`: each question once, and keeps what became of it.

use std::collections::BTreeMap;

use steward_protocols::exchange::Exchange;
use steward_protocols::fingerprint::{Common, Places};
use steward_protocols::modbus::{self, Identity, Level, Request, identify as ask_identity};
use steward_protocols::question::{Address, questions};
use steward_shared::profile::{Profile, Table};
use steward_shared::reading::{Quality, Value};

use super::super::out::Out;
use super::super::text::scan as text;
use super::known::Said;
use super::reach::why;
use crate::config::LineConfig;
use crate::lend::Reach;
use crate::line::{Failure, cost};

/// A device that has not answered so often in a row has gone, or is silent where it has no registers.
const GONE: u32 = 5;
/// The same of one that has not answered at all yet.
const NEVER: u32 = 40;

/// What a point reads as.
pub struct Read {
    /// Index into the profile's points.
    pub point: usize,
    pub value: Option<Value>,
    pub quality: Quality,
    key: Key,
}

/// Table, first address, width.
type Key = (Table, u16, u16);

pub struct Asker<'r> {
    reach: &'r mut Reach,
    line: &'r LineConfig,
    unit: u8,
    answers: BTreeMap<Key, Result<Vec<u8>, Quality>>,
    pub places: Places,
    common: Common,
    /// An address that the device has.
    had: Option<(Table, u16)>,
    /// Whether it has ever said anything, be it a refusal.
    answered: bool,
    /// Whether it said who it is, or that it does not tell.
    says: bool,
    silent: u32,
    pub out: Out,
}

impl<'r> Asker<'r> {
    pub fn new(reach: &'r mut Reach, line: &'r LineConfig, unit: u8, out: Out) -> Self {
        let (answers, places, common) = (BTreeMap::new(), Places::default(), Common::default());
        Self {
            reach,
            line,
            unit,
            answers,
            places,
            common,
            had: None,
            answered: false,
            says: false,
            silent: 0,
            out,
        }
    }

    /// What it says of itself.
    pub async fn identity(&mut self) -> Result<Vec<Said>, String> {
        let exchange =
            ask_identity(self.unit, Level::Basic, self.reach.framing).map_err(|e| e.to_string())?;
        let asked = self.reach.ask_unknown(exchange, None, None).await;
        self.says = asked.is_ok();
        match asked {
            Ok(Ok(contents)) => {
                let said = |(id, text): &(u8, String)| Said {
                    key: id.to_string(),
                    name: Identity::name(*id).map_or_else(|| id.to_string(), str::to_owned),
                    text: text.clone(),
                };
                Ok(Identity::of(&contents).objects.iter().map(said).collect())
            }
            // It does not know the function, or does not even say so.
            Ok(Err(_)) | Err(Failure::Device { .. } | Failure::HungUp(_)) => Ok(Vec::new()),
            Err(failure) => Err(why(self.reach, &failure, self.out)),
        }
    }

    /// Reads a point, as its profile asks for it. None where it stands in no register.
    pub async fn read(&mut self, profile: &Profile, point: usize) -> Result<Option<Read>, String> {
        let Some(register) = profile.points.get(point).and_then(|p| p.register()) else { return Ok(None) };
        let cost = cost(&self.line.wire, profile, None);
        let Some(question) = questions(profile, [point], &cost, &[]).into_iter().next() else {
            return Ok(None);
        };
        let key = (register.table, register.address, register.data.width());
        if !self.answers.contains_key(&key) {
            let exchange = question.exchange(Address::Modbus(self.unit), self.reach.framing);
            self.ask(key, exchange.map_err(|e| e.to_string())?, Some(profile)).await?;
        }
        let (value, quality) = match self.answers.get(&key) {
            Some(Ok(contents)) => {
                let value = question.values(&profile.points, contents).into_iter().next();
                value.map_or((None, Quality::Undecodable), |v| (v.value, v.quality))
            }
            Some(Err(quality)) => (None, *quality),
            None => return Ok(None),
        };
        Ok(Some(Read { point, value, quality, key }))
    }

    /// Looks whether the device has an address that no point of a profile stands in.
    pub async fn look(&mut self, table: Table, address: u16) -> Result<(), String> {
        if self.places.knows((table, address)) {
            return Ok(());
        }
        let mut answer = self.put(self.one(table, address)?, None).await?;
        if answer == Err(Quality::NoReply) {
            // A frame that was lost is no address that is missing.
            answer = self.put(self.one(table, address)?, None).await?;
        }
        self.note((table, address, 1), answer).await
    }

    /// How much what a point was read from is its own, 0 to 1.
    pub fn own(&self, read: &Read) -> f64 {
        match self.answers.get(&read.key) {
            Some(Ok(contents)) if !read.key.0.is_bits() => self.common.own(contents),
            _ => 1.0,
        }
    }

    fn one(&self, table: Table, address: u16) -> Result<Box<dyn Exchange>, String> {
        let request = Request::new(self.unit, table, address, 1).map_err(|e| e.to_string())?;
        Ok(modbus::exchange(request, self.reach.framing))
    }

    async fn ask(
        &mut self,
        key: Key,
        exchange: Box<dyn Exchange>,
        profile: Option<&Profile>,
    ) -> Result<(), String> {
        let answer = self.put(exchange, profile).await?;
        self.note(key, answer).await
    }

    async fn note(&mut self, key: Key, answer: Result<Vec<u8>, Quality>) -> Result<(), String> {
        let (table, address, width) = key;
        match &answer {
            Ok(contents) => {
                self.places.heard(table, address, width, true);
                self.had = Some((table, address));
                if !table.is_bits() {
                    self.common.heard(contents);
                }
            }
            Err(Quality::Refused(1..=3) | Quality::NoReply) => {
                self.places.heard(table, address, width, false);
            }
            Err(_) => {}
        }
        self.answers.insert(key, answer);
        if self.silent >= GONE {
            self.make_sure().await?;
        }
        Ok(())
    }

    /// Some devices are silent where they have no registers: one that still answers what it did has not gone.
    async fn make_sure(&mut self) -> Result<(), String> {
        let again = match self.had {
            Some((table, address)) => self.one(table, address)?,
            None if self.says => {
                ask_identity(self.unit, Level::Basic, self.reach.framing).map_err(|e| e.to_string())?
            }
            None if self.silent < NEVER => return Ok(()),
            None if self.answered => return Err(text::gone(self.out.lang)),
            None => return Err(text::never(self.out.lang)),
        };
        self.put(again, None).await?.ok();
        if self.silent == 0 { Ok(()) } else { Err(text::gone(self.out.lang)) }
    }

    async fn put(
        &mut self,
        exchange: Box<dyn Exchange>,
        profile: Option<&Profile>,
    ) -> Result<Result<Vec<u8>, Quality>, String> {
        let asked = match profile {
            Some(profile) => self.reach.ask(exchange, profile.into(), None).await,
            None => self.reach.ask_unknown(exchange, None, None).await,
        };
        match asked {
            Ok(reply) => {
                (self.silent, self.answered) = (0, true);
                Ok(reply.map_err(|refusal| refusal.quality))
            }
            Err(Failure::Device { quality, .. }) => {
                self.silent += 1;
                Ok(Err(quality))
            }
            Err(Failure::HungUp(_)) => {
                self.silent += 1;
                Ok(Err(Quality::NoReply))
            }
            Err(failure) => Err(why(self.reach, &failure, self.out)),
        }
    }
}
