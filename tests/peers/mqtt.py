"""A client of MQTT that Steward did not write: PyPI paho-mqtt publishes and hears everything, PyPI pysparkplug reads and
writes what is Sparkplug B.

    mqtt.py DIR BROKER_PORT [CA]

Writes DIR/peer.json when it is connected: {"control": port}. There it takes one JSON object a line and answers with one:
{"publish": topic, "payload": text or "hex": digits, "retain": false, "qos": 1, "times": 1}, {"heard": true} for all that
came, {"sparkplug": true} for what of it pysparkplug reads, {"rebirth": [group, node]}. It ends when its standard input does.
"""

import json
import os
import socketserver
import sys
import threading
import time

import paho.mqtt.client as mqtt
import pysparkplug as spb
from pysparkplug import _protobuf as protobuf

KINDS = {"NBIRTH": spb.NBirth, "DBIRTH": spb.DBirth, "NDATA": spb.NData, "DDATA": spb.DData}
KINDS |= {"NDEATH": spb.NDeath, "DDEATH": spb.DDeath, "NCMD": spb.NCmd}
heard, lock, ready = [], threading.Lock(), threading.Event()


def on_connect(client, _userdata, _flags, _code):
    client.subscribe("#", 1)


def on_message(_client, _userdata, message):
    with lock:
        heard.append((message.topic, bytes(message.payload), bool(message.retain), message.qos))


def all_heard():
    with lock:
        return list(heard)


def shown(topic, payload, retain, qos):
    return {"topic": topic, "payload": payload.decode("utf-8", "replace"), "retain": retain, "qos": qos}


def qualities(raw):
    """By the metrics' places: what the property Quality says."""
    found = []
    for metric in protobuf.Payload.FromString(raw).metrics:
        properties = dict(zip(metric.properties.keys, metric.properties.values))
        found.append(properties["Quality"].int_value if "Quality" in properties else None)
    return found


def metric(m, quality):
    return {"name": m.name, "alias": m.alias, "type": m.datatype.name, "value": m.value, "null": m.is_null,
            "at": m.timestamp, "quality": quality}


def sparkplug():
    births, found = {}, []
    for topic, raw, retain, qos in all_heard():
        parts = topic.split("/")
        if parts[0] != "spBv1.0" or parts[2] not in KINDS:
            continue
        kind, device = parts[2], parts[4] if len(parts) > 4 else None
        one = KINDS[kind].decode(raw, birth=births.get(device))
        if kind in ("NBIRTH", "DBIRTH"):
            births[device] = one
        metrics = [one.bd_seq_metric] if kind == "NDEATH" else getattr(one, "metrics", ())
        metrics = [metric(m, q) for m, q in zip(metrics, qualities(raw))]
        found.append({"topic": topic, "kind": kind, "device": device, "seq": getattr(one, "seq", None),
                      "retain": retain, "qos": qos, "metrics": metrics})
    return found


def answer(client, asked):
    if "publish" in asked:
        payload = bytes.fromhex(asked["hex"]) if "hex" in asked else asked["payload"].encode()
        for _ in range(asked.get("times", 1)):
            sent = client.publish(asked["publish"], payload, asked.get("qos", 1), asked.get("retain", False))
        sent.wait_for_publish(30)
        return {"sent": sent.is_published()}
    if "rebirth" in asked:
        group, node = asked["rebirth"]
        now = int(time.time() * 1000)
        wish = spb.Metric(timestamp=now, name="Node Control/Rebirth", datatype=spb.DataType.BOOLEAN, value=True)
        raw = spb.NCmd(timestamp=now, metrics=(wish,)).encode(include_dtypes=True)
        client.publish(f"spBv1.0/{group}/NCMD/{node}", raw, 1).wait_for_publish(30)
        return {"sent": True}
    if "sparkplug" in asked:
        return sparkplug()
    return [shown(*one) for one in all_heard()]


def main(folder, port, ca=None):
    client = mqtt.Client(client_id="peer", protocol=mqtt.MQTTv311)
    client.on_connect, client.on_message = on_connect, on_message
    client.on_subscribe = lambda *_: ready.set()
    client.reconnect_delay_set(1, 1)
    if ca:
        client.tls_set(ca)
    client.max_inflight_messages_set(1000)
    client.connect_async("localhost" if ca else "127.0.0.1", port)
    client.loop_start()

    class Control(socketserver.StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                self.wfile.write(json.dumps(answer(client, json.loads(line))).encode() + b"\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Control)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert ready.wait(30)
    with open(os.path.join(folder, "peer.new"), "w", encoding="utf-8") as file:
        json.dump({"control": server.server_address[1]}, file)
    os.rename(os.path.join(folder, "peer.new"), os.path.join(folder, "peer.json"))
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
