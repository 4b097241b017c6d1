-- Runs inside of OBS: draws the latency pattern, tells what the stream's output does, and takes commands.
--
-- The source "spillway_pattern" is the picture of signaling/demo/pattern.py, drawn when OBS renders a frame,
-- above bars that move. One JSON object a line goes to FOLDER/events; a word in FOLDER/command ("start",
-- "stop") is taken and the file removed. FOLDER is a setting of the script.

local obs = obslua
local bit = require("bit")
local ffi = require("ffi")

ffi.cdef([[
  typedef struct { long seconds, microseconds; } spillway_timeval;
  int gettimeofday(spillway_timeval *at, void *zone);
]])

local WIDTH, HEIGHT = 1280, 720
local COLUMNS, ROWS = 16, 3
local BARS, STEP = 80, 12
local TICK_MS, REPORT_TICKS = 100, 5

local folder = ""
local ticks = 0
local watched = nil

local now = ffi.new("spillway_timeval")
local function unix_ms()
  ffi.C.gettimeofday(now, nil)
  return tonumber(now.seconds) * 1000 + math.floor(tonumber(now.microseconds) / 1000)
end

local function tell(fields)
  local file = io.open(folder .. "/events", "a")
  if file == nil then return end
  local parts = { string.format('"at_ms":%d', unix_ms()) }
  for name, value in pairs(fields) do
    local text = type(value) == "string" and string.format("%q", value) or tostring(value)
    table.insert(parts, string.format('"%s":%s', name, text))
  end
  file:write("{" .. table.concat(parts, ",") .. "}\n")
  file:close()
end

-- CRC-8, polynomial 0x07, initial value 0xFF
local function crc8(bytes)
  local crc = 0xff
  for _, byte in ipairs(bytes) do
    crc = bit.bxor(crc, byte)
    for _ = 1, 8 do
      local carry = bit.band(crc, 0x80) ~= 0
      crc = bit.band(bit.lshift(crc, 1), 0xff)
      if carry then crc = bit.bxor(crc, 0x07) end
    end
  end
  return crc
end

local function grey(index)
  return 0.25 + 0.5 * ((index * 2654435761) % 1024) / 1024
end

local pattern = {
  id = "spillway_pattern",
  type = obs.OBS_SOURCE_TYPE_INPUT,
  output_flags = bit.bor(obs.OBS_SOURCE_VIDEO, obs.OBS_SOURCE_CUSTOM_DRAW),
}

function pattern.get_name() return "Latency pattern" end
function pattern.create() return { frame = 0, colour = obs.vec4() } end
function pattern.destroy() end
function pattern.get_width() return WIDTH end
function pattern.get_height() return HEIGHT end

function pattern.video_render(data)
  local effect = obs.obs_get_base_effect(obs.OBS_EFFECT_SOLID)
  local colour = obs.gs_effect_get_param_by_name(effect, "color")
  local function fill(x, y, width, height, level)
    obs.vec4_set(data.colour, level, level, level, 1)
    obs.gs_effect_set_vec4(colour, data.colour)
    while obs.gs_effect_loop(effect, "Solid") do
      obs.gs_matrix_push()
      obs.gs_matrix_translate3f(x, y, 0)
      obs.gs_draw_sprite(nil, 0, width, height)
      obs.gs_matrix_pop()
    end
  end
  data.frame = data.frame + 1
  local top, width = HEIGHT / 4, WIDTH / BARS
  for bar = 0, BARS - 1 do
    fill((bar * width + data.frame * STEP) % WIDTH, top, width, HEIGHT - top, grey(bar))
  end
  local sent = unix_ms() % 2 ^ 32
  local bytes = { math.floor(sent / 2 ^ 24), math.floor(sent / 2 ^ 16) % 256, math.floor(sent / 2 ^ 8) % 256,
    sent % 256, data.frame % 256 }
  table.insert(bytes, crc8(bytes))
  for block = 0, ROWS * COLUMNS - 1 do
    local set = bit.band(bytes[math.floor(block / 8) + 1], bit.rshift(0x80, block % 8)) ~= 0
    local row = math.floor(block / COLUMNS)
    fill(block % COLUMNS * WIDTH / COLUMNS, row * top / ROWS, WIDTH / COLUMNS, top / ROWS, set and 1 or 0)
  end
end

local function signalled(name)
  return function(calldata)
    tell({ signal = name, code = name == "stop" and obs.calldata_int(calldata, "code") or 0 })
  end
end

local function watch()
  local output = obs.obs_frontend_get_streaming_output()
  if output == nil then return nil end
  local name = obs.obs_output_get_name(output)
  if watched ~= name then
    watched = name
    local handler = obs.obs_output_get_signal_handler(output)
    for _, each in ipairs({ "start", "reconnect", "reconnect_success", "stop" }) do
      obs.signal_handler_connect(handler, each, signalled(each))
    end
  end
  return output
end

local function report(output)
  tell({
    active = obs.obs_output_active(output),
    reconnecting = obs.obs_output_reconnecting(output),
    bytes = obs.obs_output_get_total_bytes(output),
    frames = obs.obs_output_get_total_frames(output),
    dropped = obs.obs_output_get_frames_dropped(output),
    lagged = obs.obs_get_lagged_frames(),
    connect_ms = obs.obs_output_get_connect_time_ms(output),
    last_error = obs.obs_output_get_last_error(output) or "",
  })
end

local function tick()
  local path = folder .. "/command"
  local file = io.open(path, "r")
  if file ~= nil then
    local word = file:read("*l")
    file:close()
    os.remove(path)
    tell({ command = word or "" })
    if word == "start" then obs.obs_frontend_streaming_start() end
    if word == "stop" then obs.obs_frontend_streaming_stop() end
  end
  ticks = ticks + 1
  local output = watch()
  if output ~= nil then
    if ticks % REPORT_TICKS == 0 then report(output) end
    obs.obs_output_release(output)
  end
end

local NAMES = {
  [obs.OBS_FRONTEND_EVENT_STREAMING_STARTING] = "starting",
  [obs.OBS_FRONTEND_EVENT_STREAMING_STARTED] = "started",
  [obs.OBS_FRONTEND_EVENT_STREAMING_STOPPING] = "stopping",
  [obs.OBS_FRONTEND_EVENT_STREAMING_STOPPED] = "stopped",
  [obs.OBS_FRONTEND_EVENT_FINISHED_LOADING] = "loaded",
}

function script_description() return "The latency pattern, and a record of what the stream's output does." end

function script_load(settings)
  folder = obs.obs_data_get_string(settings, "folder")
  obs.obs_frontend_add_event_callback(function(event)
    if NAMES[event] then tell({ event = NAMES[event] }) end
  end)
  obs.timer_add(tick, TICK_MS)
end

obs.obs_register_source(pattern)
