"""What other people's readers of meters make of frames: pyMeterBus of M-Bus telegrams, iec62056-21 of IEC 62056-21 readouts.

    readers.py DIR mbus HEX..     each a telegram
    readers.py DIR iec62056 HEX   a block of data from STX to its check character

Writes DIR/peer.json: for M-Bus a list of telegrams, each {"id": digits, "records": [{"type", "unit", "function", "storage",
"value"}]}, for IEC 62056-21 a list of {"address", "value", "unit"}.
"""

import json
import os
import sys


def mbus(frames):
    import meterbus

    def telegram(frame):
        whole = json.loads(meterbus.load(bytes.fromhex(frame)).to_JSON())["body"]
        digits = "".join(f"{int(part, 16):02X}" for part in whole["header"]["identification"].split(", "))
        records = [
            {
                "type": record["type"].split(".")[-1],
                "unit": record["unit"].split(".")[-1],
                "function": record["function"].split(".")[-1],
                "storage": record["storage_number"],
                "value": record["value"],
            }
            for record in whole["records"]
            if "storage_number" in record
        ]
        return {"id": digits, "maker": whole["header"]["manufacturer"], "records": records}

    return [telegram(frame) for frame in frames]


def iec62056(frames):
    from iec62056_21 import messages

    block = messages.ReadoutDataMessage.from_bytes(bytes.fromhex(frames[0]))
    lines = block.data_block.data_lines
    sets = [data_set for line in lines for data_set in line.data_sets]
    return [{"address": s.address, "value": s.value, "unit": s.unit} for s in sets]


def main(folder, language, *frames):
    read = {"mbus": mbus, "iec62056": iec62056}[language](frames)
    path = os.path.join(folder, "peer.json")
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(read, file)
    os.rename(path + ".new", path)


if __name__ == "__main__":
    main(*sys.argv[1:])
