//! A device of another stack on the line: rusty-bacnet's server over its MS/TP transport, a master with a token of its own.

use std::path::Path;

use bacnet_objects::analog::AnalogInputObject;
use bacnet_objects::device_identity::{DeviceIdentity, build_database_with_extra};
use bacnet_objects::traits::BACnetObject;
use bacnet_server::server::BACnetServer;
use bacnet_transport::mstp::{MstpConfig, MstpDiagnostics, MstpTransport};
use bacnet_transport::mstp_serial::{SerialConfig, TokioSerialPort};
use bacnet_types::enums::{EngineeringUnits, ObjectType};
use bacnet_types::primitives::{ObjectIdentifier, PropertyValue};
use tokio::sync::Mutex;

use super::bus::BAUD;

pub struct Foreign {
    server: Mutex<BACnetServer<MstpTransport<TokioSerialPort>>>,
    diagnostics: MstpDiagnostics,
}

impl Foreign {
    /// A device with sixty inputs; input `n` holds `n / 2`.
    pub async fn start(port: &Path, mac: u8, instance: u32) -> Self {
        let mut objects: Vec<Box<dyn BACnetObject>> = Vec::new();
        for n in 1..=60_u32 {
            let units = EngineeringUnits::DEGREES_CELSIUS;
            let mut input = AnalogInputObject::new(n, format!("input-{n}"), units).unwrap();
            input.set_present_value(n as f32 / 2.0);
            input.set_description("送风温度");
            objects.push(Box::new(input));
        }
        let identity = DeviceIdentity::new(instance, 999).unwrap().with_max_apdu(480).unwrap();
        let database = build_database_with_extra(&identity, objects).unwrap();
        let config = SerialConfig { port_name: port.display().to_string(), baud_rate: BAUD };
        let config_of_node =
            MstpConfig { this_station: mac, baud_rate: BAUD, max_info_frames: 4, ..MstpConfig::default() };
        let transport = MstpTransport::new(TokioSerialPort::open(&config).unwrap(), config_of_node);
        let diagnostics = transport.diagnostics();
        let server = BACnetServer::generic_builder()
            .device(identity)
            .database(database)
            .transport(transport)
            .build()
            .await
            .unwrap();
        Self { server: Mutex::new(server), diagnostics }
    }

    /// Another value of input 1.
    pub async fn change(&self, value: f32) {
        let input = ObjectIdentifier::new(ObjectType::ANALOG_INPUT, 1).unwrap();
        let server = self.server.lock().await;
        server.set_present_value_local(&input, PropertyValue::Real(value)).await.unwrap();
    }

    /// How often it has held the token.
    pub fn tokens(&self) -> u64 {
        self.diagnostics.snapshot().mac.token_rotations
    }

    /// How often it has made a token, for the line was silent.
    pub fn tokens_made(&self) -> u64 {
        self.diagnostics.snapshot().mac.token_regenerations
    }

    pub async fn stop(&self) {
        self.server.lock().await.stop().await.unwrap();
    }
}
