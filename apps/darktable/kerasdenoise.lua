--[[
kerasdenoise for darktable: exports the selected photos through `kerasdenoise denoise`.

Copy this file to the folder `lua` in darktable's configuration folder (~/.config/darktable, or
%LOCALAPPDATA%\darktable on Windows), and add `require "kerasdenoise"` to the file `luarc` in that
folder. Set the path of the program in the preferences, under "Lua options".

Then choose "denoise with kerasdenoise" as the target storage of the export module. Each photo is
exported, denoised, saved beside its original as NAME_denoised, imported and grouped with it. TIFF
with 16 bits keeps the most. Needs darktable 3.0 or later, on Linux, macOS or Windows.

Apache-2.0, as kerasdenoise.
]]

local dt = require "darktable"

local MODULE = "kerasdenoise"
local is_windows = dt.configuration.running_os == "windows"

-- The path as one word of a command line. Windows allows no quotes in paths.
local function quote(path)
  if is_windows then
    return '"' .. path .. '"'
  end
  return "'" .. path:gsub("'", "'\\''") .. "'"
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then
    file:close()
  end
  return file ~= nil
end

-- A name beside the original that is still free.
local function find_target(image, exported)
  local stem = image.filename:gsub("%.[^.]*$", "")
  local suffix = exported:match("%.[^./\\]*$") or ""
  local separator = is_windows and "\\" or "/"
  local base = image.path .. separator .. stem .. "_denoised"
  local target, number = base .. suffix, 1
  while exists(target) do
    number = number + 1
    target = base .. "_" .. number .. suffix
  end
  return target
end

local function read(name, default)
  local value = dt.preferences.read(MODULE, name, "string")
  return (value == nil or value == "") and default or value
end

-- %g with a comma, as in some languages, would be no number to the program.
local function number(value)
  return (string.format("%g", value):gsub(",", "."))
end

local function make_command(exported, target, strength, detail)
  local words = {
    quote(read("program", "kerasdenoise")), "denoise", quote(exported), "-o", quote(target),
    "--strength", number(strength), "--detail", number(detail), "--quiet",
  }
  local command = table.concat(words, " ")
  -- cmd.exe takes away the first and the last quote of a line.
  return is_windows and '"' .. command .. '"' or command
end

local strength = dt.new_widget("slider") {
  label = "strength", tooltip = "share of noise to remove; above 1, more",
  soft_min = 0, soft_max = 1, hard_min = 0, hard_max = 2, step = 0.05, value = 1,
}

local detail = dt.new_widget("slider") {
  label = "detail", tooltip = "lost fine detail to restore",
  soft_min = 0, soft_max = 1, hard_min = 0, hard_max = 1, step = 0.05, value = 0,
}

local function store(storage, image, format, exported, index, total)
  dt.print(string.format("kerasdenoise: exported %d of %d", index, total))
end

local function finalize(storage, exported_images)
  local done, failed = 0, 0
  for image, exported in pairs(exported_images) do
    dt.print("kerasdenoise: denoising " .. image.filename)
    local target = find_target(image, exported)
    local command = make_command(exported, target, strength.value, detail.value)
    if dt.control.execute(command) == 0 and exists(target) then
      dt.database.import(target):group_with(image)
      done = done + 1
    else
      dt.print_error(MODULE .. " failed: " .. command)
      failed = failed + 1
    end
    os.remove(exported)
  end
  local message = "kerasdenoise: " .. done .. " denoised"
  if failed > 0 then
    message = message .. ", " .. failed .. " failed; start darktable in a terminal to see why"
  end
  dt.print(message)
end

local function supported(storage, format)
  local extension = format.extension
  return extension == "tif" or extension == "tiff" or extension == "png" or extension == "jpg"
    or extension == "jpeg" or extension == "webp" or extension == "avif"
end

dt.preferences.register(
  MODULE, "program", "file", "kerasdenoise: program",
  "the program kerasdenoise, as in .venv/bin; empty if it is on the path", ""
)

dt.register_storage(
  MODULE, "denoise with kerasdenoise", store, finalize, supported, nil,
  dt.new_widget("box") { orientation = "vertical", strength, detail }
)
