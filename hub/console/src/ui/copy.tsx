// A text to copy. On plain http there is no clipboard API: the old way works there.
import { CheckOutlined, CopyOutlined } from "@ant-design/icons";
import { Button } from "antd";
import { useState } from "react";
import "./copy.css";

export async function copyText(text: string): Promise<boolean> {
  if (typeof navigator !== "undefined" && navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Refused by a policy: try the old way.
    }
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

export function CopyBlock({ text, copy, copied }: { text: string; copy: string; copied: string }) {
  const [done, setDone] = useState(false);
  return (
    <div className="st-code">
      <pre>{text}</pre>
      <Button
        icon={done ? <CheckOutlined /> : <CopyOutlined />}
        onClick={() => {
          void copyText(text).then(setDone);
        }}
      >
        {done ? copied : copy}
      </Button>
    </div>
  );
}
