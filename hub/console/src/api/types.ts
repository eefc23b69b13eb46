// Short names for what the hub's document calls its shapes.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Session = Schemas["Session"];
export type Role = Schemas["Role"];
export type User = Schemas["User"];
export type Site = Schemas["Site"];
export type SiteKind = Site["kind"];
export type Gateway = Schemas["Gateway"];
export type GatewayState = "pending" | "online" | "offline" | "revoked";
export type GatewayHealth = Schemas["GatewayHealth"];
export type LineHealth = Schemas["LineHealth"];
export type DeviceHealth = Schemas["DeviceHealth"];
export type GatewayEvent = Schemas["GatewayEvent"];
export type SetAside = Schemas["SetAside"];
export type SetAsideContent = Schemas["SetAsideContent"];
export type Configuration = Schemas["Configuration"];
export type ConfigVersion = Schemas["ConfigVersion"];
export type PastConfiguration = Schemas["PastConfiguration"];
export type ConfigSetting = Schemas["ConfigSetting"];
export type ConfigCheck = Schemas["ConfigCheck"];
export type ConfigChange = Schemas["ConfigChange"];
export type ConfigFault = Schemas["ConfigFault"];
export type Device = Schemas["Device"];
export type Point = Schemas["Point"];
export type PointKind = Schemas["PointKind"];
export type Latest = Schemas["Latest"];
export type Command = Schemas["Command"];
export type CommandStep = Schemas["CommandStep"];
export type Names = Schemas["Names"];
export type Series = Schemas["Series"];
export type About = Schemas["About"];
export type Value = Latest["value"];
