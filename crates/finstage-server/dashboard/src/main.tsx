import { render } from "preact";
import { App } from "./app";
import * as inbox from "./inbox";
import * as keys from "./keys";
import * as live from "./live";
import * as router from "./router";
import { settings } from "./settings";
import "./styles.css";
import * as world from "./world";

document.documentElement.dataset.theme = settings.value.theme;
router.begin();
keys.begin();
inbox.begin();
world.begin();
live.start();
const root = document.getElementById("app");
if (root) {
  // The frame that stood there before the script ran.
  root.replaceChildren();
  render(<App />, root);
}
