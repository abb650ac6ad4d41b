"use strict";
globalThis.anykApproximate = {};
