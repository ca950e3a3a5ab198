{{/*
Values that are refused: without them something would stand open, or traffic be lost, and nobody would see it. Each is
whether it is set so, its name, and the reason.
*/}}
{{- define "tidegate.refuse" -}}
{{- $controller := .Values.controller -}}
{{- $image := $controller.image.repository -}}
{{- if not $image -}}
{{- fail "controller.image.repository is required: there is no public image. Build one (make image), load or push it, and name it here." -}}
{{- end -}}
{{- if not (has $controller.kind (list "Deployment" "DaemonSet")) -}}
{{- fail (printf "controller.kind is %q: it is Deployment or DaemonSet." $controller.kind) -}}
{{- end -}}
{{- $scoped := $controller.scope.enabled -}}
{{- $nodes := eq "nodes" (include "tidegate.status" .) -}}
{{- $webhook := $controller.admissionWebhooks -}}
{{- $flags := include "tidegate.flags.extra" . | fromJson -}}
{{- $refused := list
  (list (regexMatch "(^|/)ingress-nginx/controller(-chroot)?([:@].*)?$" $image) (printf "controller.image.repository %s" $image) "that is ingress-nginx's own image. Build Tidegate's (make image), load or push it, and name it here")
  (list (include "tidegate.image.anybodysDigest" .) "controller.image.digest with a tag of Tidegate's and controller.image.image of ingress-nginx" "nobody can tell whose it is, and without one of Tidegate's any image could come under that tag. Set controller.image.digest to nothing, or write controller.image.repository=REPOSITORY@DIGEST")
  (list $controller.allowSnippetAnnotations "controller.allowSnippetAnnotations" "there is no nginx to run snippets, and a rule that one enforces would not hold. Ingresses with snippets are reported, see /problems")
  (list $controller.proxySetHeaders "controller.proxySetHeaders" "these headers are not sent yet, and backends may rely on them")
  (list $controller.addHeaders "controller.addHeaders" "these headers are not sent yet, and browsers may rely on them")
  (list (and .Values.rbac.scope (not $scoped) (ne "true" (include "tidegate.chosen" .))) "rbac.scope without controller.scope" "it would look at all namespaces, and may not")
  (list (and $scoped $nodes) "controller.scope.enabled without a Service whose address is published" "addresses of nodes need a ClusterRole. Set extraArgs.publish-status-address, or extraArgs.update-status=false")
  (list (and $scoped $controller.ingressClassResource.aliases) "controller.ingressClassResource.aliases with controller.scope.enabled" "IngressClasses are cluster-wide and not read then: the class is the one name in controller.ingressClass")
  (list (and $scoped $controller.ingressClassResource.parameters) "controller.ingressClassResource.parameters with controller.scope.enabled" "IngressClasses and their parameters are cluster-wide and not read then: settings are those of controller.config")
  (list (and $scoped (ne (include "tidegate.ingressClass" .) $controller.ingressClassResource.name)) "controller.ingressClass that is not controller.ingressClassResource.name, with controller.scope.enabled," "IngressClasses are cluster-wide and not read then, so the name of the class decides")
  (list (pick $flags "socket" "socket-peer-uid" "state-dir" "manifests") "extraArgs.socket, .socket-peer-uid, .state-dir or .manifests" "the chart says where the two containers meet, and what is served is the cluster's")
  (list (include "tidegate.rootless" .) "runAsUser: 0 with runAsNonRoot: true" "the kubelet would start no container. Leave runAsUser as it is, since Tidegate needs no root; or say runAsNonRoot: false beside it")
  (list (include "tidegate.oneUser" .) "one runAsUser for both containers" "the data plane could reach what the controller holds. Leave controller.dataplane.runAsUser another one, or set both to null where the cluster gives out users")
  (list (and (eq "true" (include "tidegate.defaultBackend.runs" .)) (not (include "tidegate.image.whole" (include "tidegate.defaultBackend.image" .)))) "defaultBackend.image without tag and digest" "it would be latest, which is another image tomorrow")
  (list (and (not $controller.split) (hasKey $flags "supervised")) "extraArgs.supervised without controller.split" "one process of both planes has no supervisor")
  (list (omit $controller.containerPort "http" "https") "a further controller.containerPort" "only configuration of nginx's own would listen there")
  (list (and $controller.configMapNamespace $controller.config) "controller.config with controller.configMapNamespace" "the ConfigMap is read from that namespace, and is not this chart's")
  (list (and (not $controller.configMapNamespace) (get (default dict $controller.extraArgs) "configmap") $controller.config) "controller.config with extraArgs.configmap" "another ConfigMap is read")
  (list (include "tidegate.service.internal.open" $controller.service) "controller.service.internal.enabled without annotations" "ingress-nginx's chart makes no Service then, and most clouds would open this one to everybody. Set controller.service.internal.enabled=false to have none, as there; or name the annotations by which yours has load balancers inside, or a loadBalancerClass, or a type that is not LoadBalancer")
  (list (and $controller.autoscaling.enabled $controller.keda.enabled) "controller.autoscaling.enabled with controller.keda.enabled" "two autoscalers of one Deployment undo each other's work")
  (list (and $controller.hostNetwork (include "tidegate.networkSysctls" .)) "a sysctl net.* with controller.hostNetwork" "Kubernetes admits none there")
  (list (and $controller.hostNetwork (include "tidegate.otherHostPorts" .)) "a controller.hostPort that is not the container's port, with controller.hostNetwork," "they are the same port there")
  (list (and $webhook.enabled (ne (dir $webhook.certificate) (dir $webhook.key))) "controller.admissionWebhooks.certificate and .key in different folders" "they are one volume")
-}}
{{- range $refused -}}
{{- if index . 0 -}}
{{- fail (printf "%s is not supported: %s." (index . 1) (index . 2)) -}}
{{- end -}}
{{- end -}}
{{- include "tidegate.refuse.flags" . -}}
{{- include "tidegate.refuse.ports" . -}}
{{- end -}}

{{- define "tidegate.networkSysctls" -}}
{{- range (include "tidegate.podSecurityContext" . | fromJson).sysctls }}{{ if hasPrefix "net." .name }}{{ .name }} {{ end }}{{ end -}}
{{- end -}}

{{- define "tidegate.otherHostPorts" -}}
{{- if .Values.controller.hostPort.enabled -}}
{{- range $name, $port := .Values.controller.hostPort.ports }}{{ if ne (toString $port) (include "tidegate.port" (list $ $name)) }}{{ $name }} {{ end }}{{ end -}}
{{- end -}}
{{- end -}}
