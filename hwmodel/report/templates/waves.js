// Zoom and pan of the waveform drawing. Without it the page shows the same drawing, unzoomed.
(function () {
  "use strict";
  var NS = "http://www.w3.org/2000/svg", LARGEST = 200;
  var UNITS = [["s", 1e15], ["ms", 1e12], ["µs", 1e9], ["ns", 1e6], ["ps", 1e3], ["fs", 1]];

  function setUp(plot) {
    var box = plot.viewBox.baseVal, full = box.width, height = box.height, left = 0, shown = full;
    var start = Number(plot.dataset.start), end = Number(plot.dataset.end), pad = Number(plot.dataset.pad);
    var holder = plot.closest(".drawing"), axis = plot.querySelector(".hw-axis");
    var rows = Array.prototype.map.call(plot.querySelectorAll("g[data-kind]"), function (group) {
      return { group: group, kind: group.dataset.kind, top: Number(group.dataset.top), bottom: Number(group.dataset.bottom),
               x: group.dataset.x.split(" ").map(Number), v: group.dataset.v.split(" "),
               wide: group.dataset.hex === "1" };
    });

    // Text keeps its shape: its x scale undoes that of the plot.
    function text(parent, x, y, content, className, anchor) {
      var node = document.createElementNS(NS, "text");
      node.setAttribute("x", 0); node.setAttribute("y", y);
      node.setAttribute("transform", "translate(" + x + " 0) scale(" + shown / full + " 1)");
      if (className) { node.setAttribute("class", className); }
      node.setAttribute("text-anchor", anchor);
      node.textContent = content;
      parent.appendChild(node);
    }
    function time(fs) {
      var unit = UNITS.find(function (u) { return u[1] <= fs; }) || UNITS[5];
      return fs / unit[1] + " " + unit[0];
    }
    function clearTexts(parent) {
      parent.querySelectorAll("text").forEach(function (node) { node.remove(); });
    }
    function drawAxis() {
      var perFs = (full - 2 * pad) / (end - start), span = shown / perFs, step = 1, k = 0, count = full / 90;
      while (step * count < span) { step = [1, 2, 5][++k % 3] * Math.pow(10, Math.floor(k / 3)); }
      var last = start + (left + shown - pad) / perFs;
      var unit = UNITS.find(function (u) { return u[1] <= last && step / u[1] >= 0.01; }) || UNITS[5];
      var digits = Math.max(0, Math.ceil(-Math.log10(step / unit[1]) - 1e-9)), path = "";
      clearTexts(axis);
      var from = Math.max(start, start + (left - pad) / perFs), to = Math.min(end, last);
      var base = to >= 1e4 * unit[1] ? Math.floor(from / (1e3 * unit[1])) * 1e3 * unit[1] : 0, n = 0;
      for (var t = Math.ceil(from / step) * step; t <= to; t += step, n++) {
        var x = pad + (t - start) * perFs, label = (base ? "+" : "") + ((t - base) / unit[1]).toFixed(digits);
        path += "M" + x + " " + axis.dataset.top + "V" + axis.dataset.bottom;
        if (n === 0) { label = (base ? time(base) + " " : "") + label + " " + unit[0]; }
        var half = label.length * 2.8 * shown / full;
        var anchor = x - left < half || base && n === 0 ? "start" : x + half > left + shown ? "end" : "middle";
        if (!(base && n === 1)) { text(axis, x, axis.dataset.text, label, "", anchor); }
      }
      axis.querySelector("path").setAttribute("d", path);
    }
    function drawBus(row, scale) {
      var path = "", middle = Math.floor((row.top + row.bottom) / 2);
      row.v.forEach(function (value, i) {
        var a = row.x[i], b = row.x[i + 1], slant = Math.min(3 * scale, (b - a) / 2);
        path += "M" + a + " " + middle + "L" + (a + slant) + " " + row.top + "H" + (b - slant) + "L" + b + " " + middle +
                "L" + (b - slant) + " " + row.bottom + "H" + (a + slant) + "Z";
        var shownValue = row.wide && value[0] !== "-" ? "0x" + BigInt(value).toString(16) : value;
        var from = Math.max(a, left), to = Math.min(b, left + shown);
        if (shownValue.length * 6.1 + 8 <= (to - from) / scale) {
          text(row.group, (from + to) / 2, middle + 4, shownValue, "value", "middle");
        }
      });
      row.group.querySelector(".bus").setAttribute("d", path);
    }
    function drawEvents(row, scale) {
      row.v.forEach(function (value, i) {
        var next = i + 1 < row.x.length ? row.x[i + 1] : full;
        if (value.length * 6.1 + 9 <= (next - row.x[i]) / scale) {
          text(row.group, row.x[i] + 6 * scale, row.top + 9, value, "value", "start");
        }
      });
    }
    function draw() {
      shown = Math.min(full, Math.max(full / LARGEST, shown));
      left = Math.min(full - shown, Math.max(0, left));
      plot.setAttribute("viewBox", left + " 0 " + shown + " " + height);
      drawAxis();
      rows.forEach(function (row) {
        clearTexts(row.group);
        (row.kind === "bus" ? drawBus : drawEvents)(row, shown / full);
      });
    }
    function zoom(factor, at) {
      var place = left + shown * at, before = shown;
      shown = Math.min(full, Math.max(full / LARGEST, shown * factor));
      left = place - (place - left) * shown / before;
      draw();
    }
    function move(part) { left += shown * part; draw(); }
    function where(event) {
      var area = plot.getBoundingClientRect(), outer = holder.querySelector("svg.hw-waves");
      var whole = outer.getBoundingClientRect(), scale = whole.width / outer.viewBox.baseVal.width;
      area = { left: whole.left + plot.x.baseVal.value * scale, width: full * scale };
      return (event.clientX - area.left) / area.width;
    }
    function button(label, name, action) {
      var node = document.createElement("button");
      node.type = "button"; node.textContent = label; node.setAttribute("aria-label", name); node.title = name;
      node.addEventListener("click", action);
      bar.appendChild(node);
    }

    var bar = document.createElement("div"), dragged = null;
    bar.className = "zoom"; bar.setAttribute("role", "group"); bar.setAttribute("aria-label", "Zoom of the waveforms");
    button("+", "Zoom in", function () { zoom(0.5, 0.5); });
    button("−", "Zoom out", function () { zoom(2, 0.5); });
    button("←", "Earlier", function () { move(-0.25); });
    button("→", "Later", function () { move(0.25); });
    button("All", "Show the whole view", function () { left = 0; shown = full; draw(); });
    bar.appendChild(document.createTextNode("or Ctrl and the wheel; drag to move"));
    holder.parentNode.insertBefore(bar, holder);
    plot.addEventListener("wheel", function (event) {
      if (event.ctrlKey || event.metaKey) { event.preventDefault(); zoom(event.deltaY < 0 ? 0.8 : 1.25, where(event)); }
    }, { passive: false });
    plot.addEventListener("pointerdown", function (event) {
      if (event.pointerType === "mouse" && shown < full) { dragged = { at: where(event), left: left }; event.preventDefault(); }
    });
    window.addEventListener("pointermove", function (event) {
      if (dragged) { left = dragged.left - (where(event) - dragged.at) * shown; draw(); }
    });
    window.addEventListener("pointerup", function () { dragged = null; });
  }
  document.querySelectorAll(".waves svg.hw-plot").forEach(setUp);
}());
