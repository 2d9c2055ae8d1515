"""Plug-ins behind the `Renderer` interface.

`PluginRenderer` (`deepdiva.hosts.plugin_renderer`) plays patches with a real synthesizer. Plug-ins
are loaded in worker processes only, one in each, and never in the process of the caller: a plug-in
may crash, hang or leave the process, and none of that may cost the search its results.

From the inside out:

* `host` is what a host library must be able to do; `dawdreamer` and `renderman` are the two that
  can. They alone import their library, on use.
* `binding` tells what is known of a plug-in's synthesizer (`deepdiva.synths`).
* `loading` brings a patch into a plug-in: by parameters, or for Diva as the preset's own text.
* `tasks` are what a worker process is asked to do, `worker` is that process, `process` is the
  caller's end of it, with a watchdog.
* `plugin_renderer` spreads patches over several of them.
* `vst2_files`, `vst3_files`, `vst3_factory` and `saving` know the preset files of the formats;
  `plugin_table` makes a `ParameterTable` of a plug-in's list; `discovery` finds plug-ins.
"""
