//! A BACnet profile's sample frames, tried: whole datagrams of BACnet/IP. The request must be one that we would send, and
//! the answer must give the values that the profile states. Called by whoever tries a profile's samples.

use steward_shared::profile::{Bacnet, Profile, PropertyId, SampleFrame};

use super::apdu::Apdu;
use super::batch::Batch;
use super::bvlc::Bvlc;
use super::client::{Failure, Reading};
use super::npdu::{Body, Npdu};
use super::object::{ObjectId, PropertyRef};
use super::service::{Answer, Request, confirmed};
use super::tag::{Fault, Reader, unsigned32};
use crate::question::PointValue;

/// What the frame's answer gives of the profile's points.
pub fn read_sample(profile: &Profile, sample: &SampleFrame) -> Result<Vec<PointValue>, String> {
    let readings = read(sample)?;
    let given = |target: &PropertyRef| readings.iter().find(|(told, _)| told == target).cloned();
    let points = 0..profile.points.len();
    let values = points.flat_map(|point| {
        let batch = Batch::of(&profile.points, vec![point], &Bacnet::default());
        // Of status flags that the frame does not show nothing is known.
        let told: Vec<_> = batch.targets.iter().filter_map(given).collect();
        batch.values(&profile.points, &told)
    });
    Ok(values.collect())
}

fn apdu<'a>(what: &str, datagram: &'a [u8]) -> Result<Apdu<'a>, String> {
    let broken = |fault: Fault| format!("the {what} is no datagram of BACnet/IP: {fault}");
    let Bvlc::Unicast(npdu) = Bvlc::decode(datagram).map_err(broken)? else {
        return Err(format!("the {what} is not for one device"));
    };
    match Npdu::decode(npdu).map_err(broken)?.body {
        Body::Apdu(apdu) => Apdu::decode(apdu).map_err(broken),
        _ => Err(format!("the {what} is a message of routers")),
    }
}

fn read(sample: &SampleFrame) -> Result<Vec<(PropertyRef, Reading)>, String> {
    let Apdu::Confirmed { invoke, segment: None, service, data, .. } = apdu("request", &sample.request)?
    else {
        return Err("the request is no request that wants an answer".to_owned());
    };
    let request = request_of(service, data).map_err(|fault| format!("the request is not sound: {fault}"))?;
    if request.encode() != data {
        return Err("the request says the same in other bytes than we would".to_owned());
    }
    match apdu("response", &sample.response)? {
        Apdu::ComplexAck { invoke: answered, segment: None, service: by, data }
            if answered == invoke && by == service =>
        {
            match request.answer(Some(data)) {
                Ok(Answer::Properties(list)) => {
                    Ok(list.into_iter().map(|p| (p.target, p.value.map_err(Failure::Refused))).collect())
                }
                Ok(_) => Err("the response has no properties".to_owned()),
                Err(fault) => Err(format!("the response is not one: {fault}")),
            }
        }
        _ => Err("the response does not answer the request".to_owned()),
    }
}

fn reference(reader: &mut Reader<'_>, object: ObjectId, number: u8) -> Result<PropertyRef, Fault> {
    let property = PropertyId(unsigned32(reader.context(number)?)?);
    let index = reader.optional(number + 1)?.map(unsigned32).transpose()?;
    Ok(PropertyRef { object, property, index })
}

fn request_of(service: u8, data: &[u8]) -> Result<Request, Fault> {
    let mut reader = Reader::new(data);
    match service {
        confirmed::READ_PROPERTY => {
            let object = ObjectId::from_bytes(reader.context(0)?)?;
            Ok(Request::ReadProperty(reference(&mut reader, object, 1)?))
        }
        confirmed::READ_PROPERTY_MULTIPLE => {
            let mut targets = Vec::new();
            while !reader.is_empty() {
                let object = ObjectId::from_bytes(reader.context(0)?)?;
                let mut list = reader.enclosed(1)?;
                while !list.is_empty() {
                    targets.push(reference(&mut list, object, 0)?);
                }
            }
            Ok(Request::ReadPropertyMultiple(targets))
        }
        other => Err(Fault::Reserved(other)),
    }
}
