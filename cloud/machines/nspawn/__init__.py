"""Machines of systemd-nspawn: Debian with real systemd, cloud-init and docker, each in namespaces of its own.

__main__, instance     one machine, a process of its own, with everything that it reaches.
machine, control_group the container of systemd-nspawn.
namespace, forwarder   its network, and the ports that lead out of it and into it.
guest, debian_root     what is on its disk.
names, every_registry  the name server, and the image registries that have every image.
image_registry         what any registry answers.
container_image, layers, packages    images made from scratch, with the stand-ins in them.
"""
