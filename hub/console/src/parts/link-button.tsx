// A link that looks like a button: one thing to come upon by keyboard, not a button within a link.
import { createLink } from "@tanstack/react-router";
import { Button } from "antd";

export const LinkButton = createLink(Button);
