//! The buffer's SQL, one file a database, and how both are opened. Only the writer's thread comes here.

mod alarms;
mod commands;
mod open;
mod telemetry;

pub(super) use alarms::{AlarmStore, Key, SCHEMA as ALARM_SCHEMA, VERSION as ALARM_VERSION};
pub(super) use open::{assert_sqlite, move_aside, open, open_or_move_aside};
pub(super) use telemetry::{Row, SCHEMA as TELEMETRY_SCHEMA, TelemetryStore, VERSION as TELEMETRY_VERSION};
