//! The Chinese help of the commands of the bench: simulate, capture, replay, sniff, lint, doctor, sheet.

const PROFILES: &str = "自己的设备档案目录";
const BAUD: &str = "串口速率（不写则为 9600）";
const PARITY: &str = "校验：none、even 或 odd（不写则为 none）";
const LASTS: &str = "到时结束；不写则按 Ctrl-C 结束";
const STOP_BITS: &str = "停止位（不写则为 1）";

pub const ZH: &[(&str, &str)] = &[
    ("simulate", "把任意设备档案当作设备来应答，数值会变化，可随时设值和制造故障"),
    ("simulate.profile", "设备档案：厂商/型号，或档案文件的路径"),
    ("simulate.listen", "在这里应答 Modbus TCP，如 127.0.0.1:1502"),
    ("simulate.pty", "在伪终端上应答 Modbus RTU，此路径指向它（不写路径则为 steward-device）"),
    ("simulate.baud", BAUD),
    ("simulate.parity", PARITY),
    ("simulate.stop_bits", STOP_BITS),
    ("simulate.address", "应答的单元号；不写时串口为 1，TCP 为任意"),
    ("simulate.turnaround", "设备多久之后才应答（不写则为 8ms）"),
    ("simulate.set", "固定一个点位，如 frequency=49.2；可写多次"),
    (
        "simulate.broken",
        "制造故障，如 \"late by=200ms share=0.5\"；可写多次。故障：silent late exception wrong-crc cut foreign false-count two-answers reboot rollover",
    ),
    ("simulate.seed", "换一个种子，数值就不同（不写则为 1）"),
    ("simulate.profiles", PROFILES),
    ("capture", "把一条线路上的每个字节连同时刻记录下来：同时轮询它，或者只旁听一个串口"),
    ("capture.line", "网关文件中要轮询并记录的线路"),
    ("capture.config", "网关文件（不写则为 edge.toml）"),
    ("capture.port", "只旁听这个串口，由别的主站提问"),
    ("capture.baud", BAUD),
    ("capture.parity", PARITY),
    ("capture.stop_bits", STOP_BITS),
    ("capture.lasts", LASTS),
    ("capture.out", "写入的文件（不写则为 线路名.capture）；已有的文件不会被覆盖"),
    ("replay", "像记录中那样应答，或用记录检验设备档案"),
    ("replay.capture", "记录文件"),
    ("replay.listen", "在这里按记录应答 Modbus TCP，如 127.0.0.1:1502"),
    ("replay.pty", "在伪终端上应答，此路径指向它（不写路径则为 steward-device）"),
    ("replay.baud", BAUD),
    ("replay.parity", PARITY),
    ("replay.stop_bits", STOP_BITS),
    ("replay.check", "用这个设备档案解读记录中的应答，并与其中写明的数值比较"),
    ("replay.address", "记录中有多台设备时，档案所属的单元号"),
    ("replay.state", "把读到的数值写进记录，作为以后应读到的数值"),
    ("replay.profiles", PROFILES),
    ("sniff", "显示别的主站在线路上的问答；不发送任何字节"),
    ("sniff.port", "旁听的串口"),
    ("sniff.file", "不听串口，而是分析一份旁听记录"),
    ("sniff.baud", BAUD),
    ("sniff.parity", PARITY),
    ("sniff.stop_bits", STOP_BITS),
    ("sniff.profile", "用这个设备档案解读应答；多台设备时写 单元号=档案"),
    ("sniff.lasts", LASTS),
    ("sniff.profiles", PROFILES),
];
