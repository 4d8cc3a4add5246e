// Downloads of a list, with how many runs have come of how many. Without this file the links are downloads like any other,
// of which a browser knows no more than the bytes.
"use strict";

(() => {
  const grouped = new Intl.NumberFormat("en");
  const blobSize = 8 << 20; // bytes that are put away together: the browser keeps what is put away where it has room
  let underWay = null; // stops the download that goes on

  function say(text, stoppable) {
    const line = document.createElement("p");
    line.textContent = text;
    if (stoppable) {
      const stop = document.createElement("button");
      stop.type = "button";
      stop.textContent = "Stop";
      stop.addEventListener("click", () => underWay.abort());
      line.append(" ", stop);
    }
    document.getElementById("notice").replaceChildren(line);
  }

  // counter counts rows in bytes as they come. One ends with its line, but in a table for a spreadsheet not within quotes.
  function counter(table) {
    let rows = table ? -1 : 0, quoted = false; // a table has a heading
    return (bytes) => {
      for (const byte of bytes) {
        if (byte === 34) quoted = table && !quoted;
        else if (byte === 10 && !quoted) rows++;
      }
      return Math.max(rows, 0);
    };
  }

  async function read(response, name, progress) {
    const count = counter(name.endsWith(".csv")), reader = response.body.getReader();
    let away = [], parts = [], size = 0, rows = 0;
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      rows = count(next.value);
      parts.push(next.value);
      size += next.value.length;
      if (size > blobSize) [away, parts, size] = [[...away, new Blob(parts)], [], 0];
      progress(rows);
    }
    return [new Blob([...away, ...parts]), rows];
  }

  async function download(link) {
    const name = new URL(link.href).pathname.slice(1);
    const [total] = document.getElementById("many")?.elements.runs.options[1].text.match(/[\d,]+\+?/) ?? [""];
    let said = 0;
    const progress = (rows) => {
      if (Date.now() - said < 1000) return;
      said = Date.now();
      say(`Downloading: ${grouped.format(rows)}${total && ` of ${total}`} runs.`, true);
    };
    underWay = new AbortController();
    progress(0);
    try {
      const response = await fetch(link.href, { signal: underWay.signal, headers: { Accept: "application/json" } });
      if (!response.ok) throw new Error((await response.json()).error);
      const [file, rows] = await read(response, name, progress);
      const save = document.createElement("a");
      save.href = URL.createObjectURL(file);
      save.download = name;
      save.click();
      setTimeout(() => URL.revokeObjectURL(save.href), 60_000);
      say(`Downloaded ${grouped.format(rows)} ${rows === 1 ? "run" : "runs"}.`);
    } catch (error) {
      say(underWay.signal.aborted ? "The download was stopped." : `The download failed. ${error.message}`);
    }
    underWay = null;
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[download]");
    if (!link || link.protocol === "blob:" || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (!underWay) download(link);
  });

  // Whoever leaves the page while it goes on is asked.
  addEventListener("beforeunload", (event) => { if (underWay) event.preventDefault(); });
})();
