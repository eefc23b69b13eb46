//! The Chinese help of the commands that ask a device.

const FILE: &str = "网关文件（不写则为 edge.toml）";

/// The words of a line stand without their command: they are the same after each.
pub const ZH: &[(&str, &str)] = &[
    ("line", "不用文件，直接写串口或主机和端口：/dev/ttyS1、10.0.0.20:502"),
    ("baud", "串口速率（不写则为 9600）"),
    ("parity", "校验：none、even 或 odd（不写则为 none，ascii 为 even）"),
    ("data_bits", "数据位（不写则为 8，ascii 为 7）"),
    ("stop_bits", "停止位（不写则为 1）"),
    ("framing", "帧格式：rtu 或 ascii，TCP 上还有 tcp（TCP 不写则为 tcp）"),
    ("timeout", "设备最多多久应答（不写则为 500ms）"),
    ("config", FILE),
    ("target", "网关文件中的设备，或它的一个点位：main-meter、main-meter/power"),
    ("address", "配合 --line：设备地址（不写则为 1）"),
    ("table", "配合 --line：coil、discrete、holding 或 input（不写则为 holding）"),
    ("from", "配合 --line：第一个地址，按请求帧里的写法，从 0 数起"),
    ("count", "配合 --line：读多少个（不写则为 10）"),
    ("read", "向设备提问一次，显示它的点位或寄存器"),
    ("watch", "反复提问，标出变化"),
    ("watch.every", "间隔（不写则为 2s）"),
    ("watch.rounds", "读这么多次就结束；不写则按 Ctrl-C 结束"),
    ("orders", "找出寄存器按哪种类型、字序和倍率等于显示值，并给出设备档案的写法"),
    ("orders.shown", "显示值及单位，可写多个：230.4V power=1.52kW 49.98Hz 0.95pf 1234.5kWh"),
    ("orders.words", "寄存器内容（十六进制），第一个位于 --from：\"4366 3334\""),
    ("orders.device", "网关文件中的设备，代替 --line"),
    ("orders.samples", "读取次数（不写则为 3）：碰巧对上的读法经不起多次取样"),
    ("orders.every", "两次取样的间隔（不写则为 2s）"),
    ("write", "写入设备档案允许写的点位，并读回核对；临时写入到时恢复原值"),
    ("write.target", "网关文件中的设备和点位：ahu-1/setpoint"),
    ("write.value", "数值、标签文字、on 或 off"),
    ("write.expect", "只有现在是这个值时才写入"),
    ("write.for_", "只保持这么久，到时或按 Ctrl-C 恢复原值"),
    ("write.dry_run", "只显示要发送的帧，不写入"),
    ("write.yes", "不再询问"),
    ("write.back", "立即恢复已中断的工具临时写入的值"),
];
