"""The instances of the cloud: `python -m cloud.machines --control-plane URL --folder F`.

For each instance of the control plane there is a machine, which runs the instance's own user data. Real are the boot
script, bash, curl, the AWS CLI, systemd's unit file, signals, the container's own processes and network, the model.
Played are systemd itself, docker, the GPU, and the programs in an image.

    __main__, watcher      the process that asks for instances, and starts and ends machines.
    machine                one machine, a process of its own.
    metadata, http_server  the instance metadata service.
    systemd, programs      what is on the machine.
    calling, calls         how a program on the machine reaches its server.
    aws_cli, shared_model  what all machines share: the AWS CLI, and the models.
    docker/                docker of one machine.
    stand_ins/             what runs in a container in place of the image's programs.
"""
